// Computes in this browser what the page of a log entry says: that the entry's bytes are
// in the tree, who signed, and that the log only grew since the last visit. A statement
// turns green only when every step was computed here; a step that fails is named; what
// cannot be computed is said to be so. The words stand on the page.
(() => {
  'use strict';
  const $ = (s, at = document) => at.querySelector(s), all = (s) => [...document.querySelectorAll(s)];
  const page = $('[data-proof]');
  if (!page?.dataset.proof || !globalThis.crypto?.subtle) return; // stays "not checked"
  const words = Object.fromEntries([...$('template[data-words]').content.children].map((p) => [p.dataset.word, p.textContent]));
  const say = (name, vars = {}) => words[name].replace(/\{(\w+)\}/g, (m, k) => vars[k] ?? m);
  const stop = (state, name, vars) => { throw Object.assign(new Error(name), { state, text: say(name, vars) }); };
  const must = (ok, name, vars) => { if (!ok) stop('no', name, vars); };

  const count = (n) => n.toLocaleString('en').replaceAll(',', page.dataset.group);
  const day = (ms) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ') + ' UTC';

  // Bytes
  const utf8 = (s) => new TextEncoder().encode(s);
  const b64 = (s) => { const raw = atob(s); must(btoa(raw) === s, 'form'); return Uint8Array.from(raw, (c) => c.charCodeAt(0)); };
  const url64 = (s) => b64(s.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (s.length % 4)) % 4));
  const hex = (b) => [...b].map((x) => x.toString(16).padStart(2, '0')).join('');
  const same = (a, b) => hex(a) === hex(b);
  const cat = (...parts) => new Uint8Array(parts.flatMap((p) => [...p]));
  const sha = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', cat(...parts)));
  const node = (l, r) => sha([1], l, r);
  const canonical = (v) => (Array.isArray(v) ? '[' + v.map(canonical).join(',') + ']' : v && typeof v === 'object'
    ? '{' + Object.keys(v).sort().map((k) => JSON.stringify(k) + ':' + canonical(v[k])).join(',') + '}' : JSON.stringify(v));
  const parse = (text, name) => { const v = JSON.parse(text); must(canonical(v) === text, name); return v; };

  // The tree (RFC 6962 §2.1): from a leaf to the root, and from an earlier root to a later.
  const up = (n) => Math.floor(n / 2), odd = (n) => n % 2 === 1;
  const climb = async (index, size, path, leaf, seen = () => {}) => {
    let at = index, last = size - 1, h = await sha([0], utf8(leaf));
    must(index >= 0 && index < size, 'path_index');
    for (const [i, p] of path.entries()) {
      while (!odd(at) && at === last && last > 0) [at, last] = [up(at), up(last)];
      must(last > 0, 'path');
      h = odd(at) ? await node(p, h) : await node(h, p);
      [at, last] = [up(at), up(last)];
      seen(i + 1, h);
    }
    must(last === 0, 'path');
    return h;
  };
  const grew = async (old, now, path) => {
    if (old.size === now.size) return path.length === 0 && same(old.root, now.root);
    let [fn, sn] = [old.size - 1, now.size - 1];
    while (odd(fn)) [fn, sn] = [up(fn), up(sn)];
    const rest = fn === 0 ? [old.root, ...path] : path;
    if (rest.length === 0) return false;
    let fr = rest[0], sr = rest[0];
    for (const c of rest.slice(1)) {
      if (sn === 0) return false;
      if (odd(fn) || fn === sn) {
        [fr, sr] = [await node(c, fr), await node(c, sr)];
        while (!odd(fn) && fn !== 0) [fn, sn] = [up(fn), up(sn)];
      } else sr = await node(sr, c);
      [fn, sn] = [up(fn), up(sn)];
    }
    return sn === 0 && same(fr, old.root) && same(sr, now.root);
  };

  // Signed notes (C2SP signed-note, tlog-checkpoint)
  const note = (text) => {
    const [body, sigs, ...more] = text.split('\n\n'), [origin, size, root, ...rest] = body.split('\n');
    must(sigs && !more.length && !rest.length && String(Number(size)) === size && Number.isSafeInteger(+size) && b64(root).length === 32, 'checkpoint');
    return { text, body: body + '\n', origin, size: +size, root: b64(root), sigs: sigs.trimEnd().split('\n').map((l) => l.split(' ')) };
  };
  const verifies = async (algorithm, form, key, sig, bytes) => {
    try { return await crypto.subtle.verify(algorithm, await crypto.subtle.importKey(form, key, algorithm, false, ['verify']), sig, bytes); } catch (e) { return e.name === 'NotSupportedError' ? stop('none', 'unsupported') : false; }
  };
  const signer = async (cp, keys) => {
    for (const k of keys) {
      const [, name, hash, key64] = k.match(/^([^+ ]+)\+([0-9a-f]{8})\+(.+)$/) ?? [], key = key64 ? b64(key64) : [];
      if (name !== cp.origin || key[0] !== 1 || hex((await sha(utf8(name + '\n'), key)).slice(0, 4)) !== hash) continue;
      const line = cp.sigs.find(([dash, n, s]) => dash === '—' && n === name && hex(b64(s).slice(0, 4)) === hash);
      if (!line) continue;
      must(await verifies({ name: 'Ed25519' }, 'raw', key.slice(1), b64(line[2]).slice(4), utf8(cp.body)), 'checkpoint_signature');
      return `${name}+${hash}`;
    }
    return stop('no', 'checkpoint_key');
  };

  const witnessed = async (cp, keys) => { // cosignature/v1 (C2SP tlog-cosignature): four bytes of the key's hash, eight of the time
    for (const k of keys) {
      const [, name, key64] = k.match(/^([^+ ]+)\+[0-9a-f]{8}\+(.+)$/), key = b64(key64);
      key[0] = 4;
      const id = (await sha(utf8(name + '\n'), key)).slice(0, 4), line = cp.sigs.find(([dash, n, s]) => dash === '—' && n === name && same(b64(s).slice(0, 4), id));
      if (!line) continue;
      const sig = b64(line[2]);
      must(sig.length === 76, 'cosignature', { name });
      const at = new DataView(sig.buffer).getBigUint64(4);
      must(await verifies({ name: 'Ed25519' }, 'raw', key.slice(1), sig.slice(12), utf8(`cosignature/v1\ntime ${at}\n${cp.body}`)), 'cosignature', { name });
      return say('witnessed', { name, when: day(Number(at) * 1000) });
    }
    return stop('none', keys.length ? 'no_cosignature' : 'no_witness');
  };

  // Entries: the way to the checkpoint, and the salted commitments
  const included = async (e, cp, seen) => {
    const head = `c2sp.org/tlog-proof@v1\nindex ${e.index}\n`, tail = '\n' + cp.text;
    must(e.proof.startsWith(head) && e.proof.endsWith(tail), 'proof');
    const root = await climb(e.index, cp.size, e.proof.slice(head.length, -tail.length).split('\n').filter(Boolean).map(b64), e.leaf, seen);
    must(same(root, cp.root), 'path');
    return parse(e.leaf, 'leaf');
  };
  const commitment = async (name, o) => {
    const n = utf8(name), length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, n.length);
    return btoa(String.fromCharCode(...await sha(utf8('countersign/commit/v1\0'), length, n, b64(o.salt), utf8(o.value))));
  };
  const opened = async (e, leaf, name) => {
    const o = e?.openings[name];
    if (!o) stop('none', 'erased', { what: name });
    must(await commitment(name, o) === leaf.commitments[name], 'commitment', { what: name });
    return parse(o.value, 'form');
  };

  // A passkey's assertion (Web Authentication §7.2) over the statement
  const curves = [['2a8648ce3d030107', 'P-256', 'SHA-256', 32], ['2b81040022', 'P-384', 'SHA-384', 48], ['2b81040023', 'P-521', 'SHA-512', 66]];
  const raw = (der, size) => { // ECDSA: DER to two numbers of equal length
    let at = der[1] === 0x81 ? 3 : 2;
    const number = () => { const n = der.slice(at + 2, at + 2 + der[at + 1]); at += 2 + n.length; return hex(n).replace(/^(00)+/, '').padStart(2 * size, '0'); };
    return Uint8Array.from((number() + number()).match(/../g), (x) => parseInt(x, 16));
  };
  const signedBy = async (spki, sig, bytes) => {
    const kind = hex(spki), curve = curves.find(([oid]) => kind.slice(0, 60).includes(oid));
    if (curve) return verifies({ name: 'ECDSA', namedCurve: curve[1], hash: curve[2] }, 'spki', spki, raw(sig, curve[3]), bytes);
    if (kind.startsWith('302a300506032b6570')) return verifies({ name: 'Ed25519' }, 'spki', spki, sig, bytes);
    must(kind.slice(0, 60).includes('2a864886f70d010101') && spki.length > 280, 'key_kind');
    return verifies({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, 'spki', spki, sig, bytes);
  };
  const signed = async (data, leaf, cp) => {
    if (leaf.type !== 'decision.made') return say('signed_entry');
    const d = await opened(data, leaf, 'decision'), e = d.evidence, s = e.statement, p = e.passkey;
    must(d.id === leaf.facts.decision && d.person.id === leaf.actor && d.act === leaf.facts.act, 'decision');
    must(s.org === leaf.org && s.approval === leaf.subject && s.act === d.act && s.person === d.person.id && s.acting_for === (d.acting_for?.id ?? '') && s.reason === (d.reason ?? '')
      && canonical(s.attestations) === canonical(d.attestations ?? []) && s.policy_digest === leaf.facts.policy_digest && s.requirement_digest === leaf.facts.requirement_digest, 'statement');
    must(data.submission, 'document');
    const from = await included(data.submission, cp);
    must(from.subject === leaf.subject && from.type === 'request.submitted', 'document');
    await opened(data.submission, from, 'document');
    const digest = 'sha-256:' + hex(await sha(utf8(data.submission.openings.document.value))), card = $('.doc .digest');
    must(s.digest === digest && (!card || card.textContent.replace(/\s/g, '') === digest), 'document');
    if (!p) stop('none', e.totp ? 'stated_code' : 'stated_session', { name: d.person.name });
    must(data.enrolment && data.enrolment.index < data.index, 'enrolment');
    const enrolled = await included(data.enrolment, cp), key = await opened(data.enrolment, enrolled, 'enrolment');
    must(enrolled.type === 'authenticator.enrolled' && enrolled.subject === leaf.actor && key.person === leaf.actor && key.authenticator === p.authenticator
      && key.credential_id === p.credential_id && key.rp_id === p.rp_id && !key.simulated === !p.simulated, 'enrolment');
    const authData = url64(p.authenticator_data), clientData = url64(p.client_data_json), client = JSON.parse(new TextDecoder().decode(clientData));
    must(client.type === 'webauthn.get' && same(url64(client.challenge), await sha(utf8(canonical(s)))), 'challenge');
    const host = new URL(p.origin).hostname;
    must(client.origin === p.origin && !client.crossOrigin && client.topOrigin === undefined && (host === p.rp_id || host.endsWith('.' + p.rp_id))
      && same(authData.slice(0, 32), await sha(utf8(p.rp_id))), 'origin');
    must((authData[32] & 5) === 5 && !(authData[32] & 8) === !key.backup_eligible, 'flags');
    must(await signedBy(url64(key.public_key), url64(p.signature), cat(authData, await sha(clientData))), 'passkey_signature');
    return say(p.simulated ? 'signed_simulated' : 'signed_person', { name: d.person.name, act: say('act_' + d.act) });
  };

  // On the page
  const show = (at, state, text) => {
    at.dataset.state = state;
    $('[data-said]', at).textContent = text;
    Object.assign($('.tag', at), { className: 'tag ' + ({ ok: 'ok', no: 'no' }[state] ?? 'quiet'), textContent: say('verdict_' + state) });
  };
  const check = async (at, run) => { try { show(at, 'ok', await run()); } catch (e) { show(at, e.state ?? 'no', e.text ?? say('broken')); } };
  const keep = (name, value) => { try { return value === undefined ? localStorage.getItem(name) : localStorage.setItem(name, value); } catch { return null; } };
  const lastName = 'countersign-checkpoint ' + page.dataset.origin, heldName = 'countersign-key ' + page.dataset.origin;
  const at = (name) => $(`[data-check="${name}"]`);

  const run = async (data, last) => {
    delete page.dataset.done;
    const held = keep(heldName) || '';
    let leaf;
    const head = (async () => { const cp = note(data.checkpoint); must(cp.origin === page.dataset.origin, 'checkpoint'); return cp; })();
    const key = head.then((cp) => signer(cp, held ? [held] : data.keys));
    key.catch(() => {}); // each statement that needs it says so
    if (held) await check($('[data-held]'), async () => await key && say('held_signed'));
    else show($('[data-held]'), 'wait', say('held_none'));
    if (data.leaf !== undefined) {
      await check(at('included'), async () => {
        must(data.leaf === $('[data-leaf]').textContent, 'shown');
        leaf = await included(data, await head, (i, h) => { const t = $(`[data-node="${i}"] text`); if (t) t.textContent = (t.dataset.root ?? '') + hex(h).slice(0, 8) + '…'; });
        $('.merkle')?.classList.add('done');
        return say('included', { size: count((await head).size) });
      });
      for (const o of all('[data-opening]')) await check(o, async () => {
        const what = o.dataset.opening, shown = { salt: $('[data-salt]', o).textContent, value: $('[data-value]', o).textContent };
        must(leaf && await commitment(what, shown) === leaf.commitments[what], 'commitment', { what });
        return say('opened');
      });
      await check(at('signed'), async () => { must(await key && leaf, 'not_included'); return say('signed_log', { key: await key }) + ' ' + await signed(data, leaf, await head); });
      await check(at('witnessed'), async () => { must(await key && leaf, 'not_included'); return witnessed(await head, data.witnesses ?? []); });
    }
    await check(at('grown'), async () => {
      const cp = await key && await head;
      const remember = () => keep(lastName, JSON.stringify({ checkpoint: data.checkpoint, at: Date.now() }));
      if (!last) { remember(); stop('none', 'grown_first', { size: count(cp.size) }); }
      const old = note(last.checkpoint), vars = { when: day(last.at), old: count(old.size), size: count(cp.size) };
      must(old.size <= cp.size, 'grown_shrunk', vars);
      must(await grew(old, cp, (data.consistency?.path ?? []).map(b64)), 'grown_fork', vars);
      remember();
      return say('grown', vars);
    });
    page.dataset.done = '1';
  };
  const start = async () => {
    let last = null;
    try { last = JSON.parse(keep(lastName)); if (last) last.size = note(last.checkpoint).size; } catch { last = null; }
    const data = await fetch(page.dataset.proof + (last ? '?since=' + last.size : '')).then((r) => (r.ok ? r.json() : null)).catch(() => null);
    if (!data) { for (const c of all('[data-check]')) if (c.dataset.state !== 'none') show(c, 'wait', say('no_data')); return; }
    const field = $('#held-key');
    field.value = keep(heldName) || '';
    field.closest('[hidden]')?.removeAttribute('hidden');
    let turn = run(data, last);
    field.addEventListener('change', () => { keep(heldName, field.value.trim()); turn = turn.then(() => run(data, last)); });
  };
  start();
})();
