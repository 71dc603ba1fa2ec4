// Package approval is the state machine of an approval: who may decide, when
// enough distinct people have decided, how long a hold lasts, what stands against
// a release. It is pure: a state and an act go in, the next state and an error come
// out. It knows no clock and no database; the time is part of every act.
//
// One rule holds for every verb: the returned [State] is the one to store. Where
// its Version did not rise there is nothing to store. A verb may return both a
// risen state and an error: a release that finds something new sends the request
// back to pending and refuses; an act after the deadline finds it expired.
//
// No verb has an exemption for administrators, and none takes a setting that
// switches a check off.
package approval
