#!/usr/bin/env bash
# Verifies a receipt with openssl and jq alone: that it has its canonical form, that
# the log's key signed the checkpoint, that every entry is under it, that every
# opening opens its commitment, that every passkey signed the statement with the key
# that was enrolled, that what was signed is what was decided, in whose place, by enough
# different people, and that it was released in its time. It shares no code with the
# product, and reads no policy: what is required it takes from the receipt.
#
#   verify.sh RECEIPT VERIFIER_KEY
#
# It prints one line for each thing that holds; it ends with 1 and a line on standard
# error at the first that does not.
set -euo pipefail
export LC_ALL=C

receipt=$1
vkey=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "verify.sh: $*" >&2; exit 1; }
sha() { openssl dgst -sha256 -binary; }
b64() { openssl base64 -A; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# Base64 is accepted only as it would be written again.
unb64() { # TEXT FILE
	printf '%s' "$1" | openssl base64 -d -A >"$2" 2>/dev/null || fail "not base64: $1"
	[[ $(b64 <"$2") == "$1" ]] || fail "not base64 in its one form: $1"
}
unb64url() { # TEXT FILE
	local s=$1
	[[ $s != *[+/=]* ]] || fail "not base64url: $s"
	while ((${#s} % 4)); do s+="="; done
	s=${s//-/+}
	unb64 "${s//_//}" "$2"
}
decimal() { [[ $1 =~ ^(0|[1-9][0-9]{0,17})$ ]] || fail "not a decimal number: $1"; }

# --- form ---
jq -cjS . "$receipt" >canonical 2>/dev/null || fail "not JSON"
cmp -s canonical "$receipt" || fail "not the canonical form"
[[ $(jq -r .type "$receipt") == "countersign.receipt/v1" ]] || fail "another type"
jq -e 'keys == ["entries","founding","org","origin","request","status","summary","type"] and (.founding | type == "boolean")
	and all(.entries[]; keys == ["leaf","openings","proof","role"] and all(.openings[]; keys == ["salt","value"]))
	and all(.. | scalars | select(type != "boolean"); type == "string")
	and all(.entries[].openings | to_entries[]; (.key | test("^[a-z_]{1,40}$")) and ([.key, .value.salt] | all(contains("\n") | not)))' "$receipt" >/dev/null || fail "not the members of a receipt"
count=$(jq '.entries | length' "$receipt")
((count > 0)) || fail "no entries"
mapfile -t roles < <(jq -r '.entries[].role | @json' "$receipt")
i=0
while IFS='|' read -r leaf proof; do
	openssl base64 -d -A <<<"$leaf" >"leaf$i"
	openssl base64 -d -A <<<"$proof" >"proof$i"
	i=$((i + 1))
done < <(jq -r '.entries[] | "\(.leaf | @base64)|\(.proof | @base64)"' "$receipt")
echo "form: $count entries"

# --- people, clauses, release: what the entries say; that they were logged is proven below ---
# Nobody's authority counts twice: neither that of who acted, nor that of whom they acted for.
people=$(jq -r '
def want($ok; $why): if $ok then . else error($why) end;
def at: (.[0:19] + "Z" | fromdateiso8601) * 1000000 + (.[20:26] | tonumber);
def opened($name): .open[$name] // null | if . then fromjson else null end;
def counted($clause):
	reduce .[] as $d ({n: 0, used: []};
		[$d.person.id, ($d.acting_for.id // empty)] as $who | .used as $used
		| if ($d.break_glass == true or ($clause.from // []) == [] or any($d.groups[]?; IN($clause.from[]))) and all($who[]; IN($used[]) | not)
		then .n += 1 | .used += $who else . end) | .n;
def met($clauses):
	. as $made | length > 0
	and (all(.[]; .break_glass != true) or (map(select(.evidence.assurance | IN("phishing_resistant", "hardware"))) | counted({})) >= 2)
	and all($clauses[]; . as $c | ($made | counted($c)) >= $c.count);
def stated($f; $leaf; $governing): # of a decision: its statement says the same
	.evidence.statement as $s | (.acting_for.id // "") as $for
	| want(.act == $f.act and .at == $leaf.time and .person.id == $leaf.actor; "the decision is not what its entry says")
	| want($s == null or ([$s.org, $s.approval, $s.person, $s.act, $s.acting_for, $s.reason, $s.policy_digest, $s.requirement_digest]
		== [$leaf.org, $leaf.subject, $leaf.actor, $f.act, $for, (.reason // ""), $f.policy_digest, $governing.leaf.facts.requirement_digest]); "the statement is about something else");
. as $receipt | [.entries[] | {role, leaf: (.leaf | fromjson), open: (.openings | map_values(.value))}] as $all
| [$all[] | select(.role == "submission" or .role == "reweighing")][-1] as $governing
| ($governing | opened("requirement")) as $need
| {status: $governing.leaf.facts.status, since: ($governing.leaf.time | at), made: [], people: [], shown: true}
| {allow: ["approved"], step_up: ["pending", "unsatisfiable"], deny: ["denied", "revoked"]} as $leads
| want(.status | IN($leads[$governing.leaf.facts.outcome][]?); "the outcome does not lead to the status")
| reduce ($all[] | select(.role == "decision")) as $e (.;
	$e.leaf.facts as $f | ($e | opened("decision")) as $d
	| {approve: ["approved", "pending"], deny: ["denied"], revoke: ["revoked"]} as $leads
	| want((.status | IN("pending", "unsatisfiable")) or (.status == "approved" and $f.act == "revoke"); "decided when it was \(.status)")
	| want($f.status | IN($leads[$f.act][]?); "the act does not lead to the status")
	| if $d then . as $st | $d | stated($f; $e.leaf; $governing) | $st else . end
	| if $f.act == "approve" then
		want(($e.leaf.actor | startswith("per_")) and (.people | index($e.leaf.actor) | not); "approved by no person, or by one twice")
		| .people += [$e.leaf.actor] | .made += [$d] | .shown = (.shown and $d != null)
		| want($f.status != "approved" or $need == null or (.shown | not) or (.made | met($need.approvers // [])); "approved by fewer people than required")
	else . end
	| .status = $f.status | if .status == "approved" then .since = ($e.leaf.time | at) else . end)
| reduce ($all[] | select(.role == "release")) as $e (.;
	(.since + ($need.hold_seconds // 0) * 1000000) as $from | ($e.leaf.time | at) as $when
	| want(.status == "approved" and $e.leaf.facts.status == "released" and ($e.leaf.facts.lease // "" | startswith("lea_")); "released from another status, or under no lease")
	| want($when >= $from; "released before the hold ended")
	| want($need == null or $when <= $from + ($need.release_within_seconds // 2592000) * 1000000; "released too late")
	| .status = "released")
| want(.status == $receipt.status and (.status | IN("pending", "unsatisfiable") | not); "the receipt claims another status than its entries")
| "people: \(.people | length) approved; \(.status)"' "$receipt" 2>problem) || fail "$(sed 's/^jq: error (at [^)]*): //' problem)"

# --- checkpoint ---
for ((i = 0; i < count; i++)); do
	awk 'seen { print } $0 == "" { seen = 1 }' "proof$i" >"checkpoint$i"
	cmp -s checkpoint0 "checkpoint$i" || fail "entry $i is proven to another checkpoint"
	awk '$0 == "" { exit } { print }' "proof$i" >"path$i"
	{ cat "path$i"; echo; cat "checkpoint$i"; } | cmp -s - "proof$i" || fail "proof $i is not lines"
done
awk '$0 == "" { exit } { print }' checkpoint0 >body
[[ $(wc -l <body) == 3 ]] || fail "the checkpoint has not three lines"
{ read -r origin; read -r size; read -r root; } <body
decimal "$size"
[[ $origin == "$(jq -r .origin "$receipt")" ]] || fail "another origin"

name=${vkey%%+*}
rest=${vkey#*+}
id=${rest%%+*}
unb64 "${rest#*+}" key
[[ $name == "$origin" ]] || fail "the key is named $name"
[[ $(head -c 1 key | hex) == 01 ]] || fail "not an Ed25519 key"
[[ $({ printf '%s\n' "$name"; cat key; } | sha | head -c 4 | hex) == "$id" ]] || fail "the key id does not fit the key"
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; tail -c +2 key; } | openssl pkey -pubin -inform DER -out log.pem 2>/dev/null
signed=no
while IFS= read -r line; do
	[[ $line == "— $name "* ]] || continue
	unb64 "${line#"— $name "}" signature
	[[ $(head -c 4 signature | hex) == "$id" ]] || continue
	tail -c +5 signature >signature.raw
	openssl pkeyutl -verify -pubin -inkey log.pem -rawin -in body -sigfile signature.raw >/dev/null 2>&1 || fail "the checkpoint's signature is wrong"
	[[ $signed == no ]] || fail "the key signs twice"
	signed=yes
done < <(awk 'seen { print } $0 == "" { seen = 1 }' checkpoint0)
[[ $signed == yes ]] || fail "the key has not signed the checkpoint"
echo "checkpoint: $origin, $size entries, signed by $name+$id"

# --- inclusion (RFC 9162 section 2.1.3.2) ---
node() { { printf '\x01'; cat "$1" "$2"; } | sha >joined; mv joined current; }
included() { # ENTRY
	local n=0 line index fn sn
	{ read -r line; [[ $line == "c2sp.org/tlog-proof@v1" ]] || fail "another kind of proof"
	  read -r line; index=${line#index }; [[ $line == "index $index" ]] || fail "no index"
	  decimal "$index"
	  ((index < size)) || fail "index $index is outside the log"
	  fn=$index sn=$((size - 1))
	  { printf '\x00'; cat "leaf$1"; } | sha >current
	  while IFS= read -r line; do
		unb64 "$line" sibling
		[[ $(wc -c <sibling) == 32 ]] || fail "a hash of another length"
		((sn > 0)) || fail "the path is too long"
		if ((fn & 1 || fn == sn)); then
			node sibling current
			while ((!(fn & 1) && fn > 0)); do fn=$((fn >> 1)) sn=$((sn >> 1)); done
		else
			node current sibling
		fi
		fn=$((fn >> 1)) sn=$((sn >> 1))
	  done; } <"path$1"
	((sn == 0)) || fail "the path is too short"
	[[ $(b64 <current) == "$root" ]] || fail "entry $1 is not under the checkpoint"
	echo "$index" >"index$1"
}
for ((i = 0; i < count; i++)); do included "$i"; done
echo "inclusion: every entry"

# --- commitments ---
while IFS='|' read -r i opening salt want value; do
	openssl base64 -d -A <<<"$value" >"opened$i.$opening"
	unb64 "$salt" salt
	[[ $(wc -c <salt) == 32 ]] || fail "a salt of another length"
	have=$({ printf 'countersign/commit/v1\x00'; printf "\\x00\\x00\\x00\\x$(printf %02x ${#opening})"; printf '%s' "$opening"; cat salt "opened$i.$opening"; } | sha | b64)
	[[ -n $want && $have == "$want" ]] || fail "opening $opening of entry $i is not what was committed to"
done < <(jq -r '.entries | to_entries[] | .key as $i | (.value.leaf | fromjson | .commitments) as $want | .value.openings | to_entries[]
	| "\($i)|\(.key)|\(.value.salt)|\($want[.key] // "")|\(.value.value | @base64)"' "$receipt" || echo "||")
echo "commitments: every opening"

# --- passkeys ---
digest() { openssl dgst -sha256 -binary "$1"; }
passkey() { # ENTRY
	local d="opened$1.decision" fac enrolled="" person rp
	person=$(jq -r .actor "leaf$1")
	[[ $(jq -r .person.id "$d") == "$person" ]] || fail "another person"
	fac=$(jq -r .evidence.passkey.authenticator "$d")
	for ((k = 0; k < count; k++)); do
		[[ ${roles[k]} == '"enrolment"' && $(jq -r .facts.authenticator "leaf$k") == "$fac" ]] || continue
		(($(<"index$k") < $(<"index$1"))) || fail "enrolled after the decision"
		[[ $(jq -r .subject "leaf$k") == "$person" && $(jq -r .person "opened$k.enrolment") == "$person" ]] || fail "the key is another person's"
		enrolled="opened$k.enrolment"
	done
	[[ -n $enrolled ]] || fail "the key is not enrolled"
	for part in authenticator_data client_data_json signature; do unb64url "$(jq -r ".evidence.passkey.$part" "$d")" "$part"; done
	[[ $(jq -r .type client_data_json) == webauthn.get ]] || fail "another ceremony"
	jq -cjS .evidence.statement "$d" >statement
	[[ $(jq -r .challenge client_data_json) == "$(digest statement | b64 | tr '+/' '-_' | tr -d '=')" ]] || fail "the challenge is not the statement's digest"
	[[ $(jq -r .person statement) == "$person" && $(jq -r .approval statement) == "$(jq -r .subject "leaf$1")" ]] || fail "the statement is about something else"
	[[ $(jq -r .digest statement) == "sha-256:$(digest opened0.document | hex)" ]] || fail "the statement is about another document"
	[[ $(jq -r .origin client_data_json) == "$(jq -r .evidence.passkey.origin "$d")" ]] || fail "another origin"
	[[ $(jq -r '.crossOrigin // false' client_data_json) == false && $(jq -r '.topOrigin // ""' client_data_json) == "" ]] || fail "in a foreign frame"
	rp=$(jq -r .rp_id "$enrolled")
	[[ $(head -c 32 authenticator_data | hex) == "$(printf '%s' "$rp" | sha | hex)" ]] || fail "another relying party"
	(((0x$(tail -c +33 authenticator_data | head -c 1 | hex) & 5) == 5)) || fail "the person was not verified"
	unb64url "$(jq -r .public_key "$enrolled")" spki
	openssl pkey -pubin -inform DER -in spki -out person.pem 2>/dev/null || fail "the public key cannot be read"
	digest client_data_json | cat authenticator_data - >signed
	openssl dgst -sha256 -verify person.pem -signature signature signed >/dev/null 2>&1 || fail "the passkey's signature is wrong"
	echo "passkey: $person signed $(jq -r .act statement)"
}
for ((i = 0; i < count; i++)); do
	[[ ${roles[i]} == '"decision"' ]] || continue
	[[ $(jq -r '.evidence.passkey // "" | type' "opened$i.decision") == object ]] || continue
	passkey "$i"
done
echo "$people"
echo "verified"
