// A mail server for tests: it takes mails on and writes each as a line of JSON.
//
//   NODE_PATH=.tools/node_modules node scripts/mailserver.js starttls|implicit|plain
//
// with CERT and KEY (PEM files), USER_NAME and PASSWORD from the environment.
//
// Recipients say how it behaves: busy@ is refused once and then taken on, no@ is
// refused for good, large@ is refused for good after the mail was handed over, drop@
// loses the connection once in the middle of the mail, slow@ answers after SLOW_MS.
'use strict'
const fs = require('fs')
const { SMTPServer } = require('smtp-server')

const mode = process.argv[2]
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n')
const seen = new Set()
const once = (name) => !seen.has(name) && seen.add(name)
const refusal = (code, text) => Object.assign(new Error(text), { responseCode: code })
const wants = (session, name) => session.envelope.rcptTo.some((to) => to.address.startsWith(name + '@'))

const server = new SMTPServer({
  secure: mode === 'implicit',
  cert: process.env.CERT && fs.readFileSync(process.env.CERT),
  key: process.env.KEY && fs.readFileSync(process.env.KEY),
  disabledCommands: mode === 'plain' ? ['STARTTLS', 'AUTH'] : [],
  authOptional: !process.env.USER_NAME,
  authMethods: ['PLAIN', 'LOGIN'],
  disableReverseLookup: true,
  onAuth (auth, session, done) {
    const ok = auth.username === process.env.USER_NAME && auth.password === process.env.PASSWORD
    say({ auth: auth.method, ok, secure: session.secure })
    done(ok ? null : refusal(535, '5.7.8 wrong name or password'), { user: auth.username })
  },
  onMailFrom (from, session, done) {
    done(from.address.startsWith('unwelcome@') ? refusal(550, '5.7.1 not you') : null)
  },
  onRcptTo (to, session, done) {
    if (to.address.startsWith('busy@') && once('busy')) return done(refusal(450, '4.2.0 come back later'))
    if (to.address.startsWith('no@')) return done(refusal(550, '5.1.1 nobody of that name'))
    if (to.address.startsWith('slow@')) return setTimeout(done, Number(process.env.SLOW_MS))
    done()
  },
  onData (stream, session, done) {
    if (wants(session, 'drop') && once('drop')) {
      say({ dropped: true })
      return stream.once('data', () => server.connections.forEach((c) => c._socket.destroy()))
    }
    const parts = []
    stream.on('data', (part) => parts.push(part))
    stream.on('end', () => {
      if (wants(session, 'large')) return done(refusal(552, '5.3.4 too large'))
      say({ mail: Buffer.concat(parts).toString('base64'), from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map((to) => to.address), secure: session.secure, user: session.user || '' })
      done()
    })
  }
})
server.on('error', (err) => say({ error: err.message }))
server.listen(0, '127.0.0.1', () => say({ port: server.server.address().port }))
process.stdin.on('end', () => process.exit(0)).resume() // it ends with whoever started it
