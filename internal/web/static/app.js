// Small comforts of every page. Nothing here decides or signs anything, and every page
// works without it.
(() => {
  'use strict';
  const $ = (s, root = document) => root.querySelector(s);
  const say = (text) => { const at = $('#said'); if (at) at.textContent = text; };

  // Relative times grow old while a page stays open: the words follow the clock. They
  // are rounded down, so that no deadline is later than it seems.
  const [within, ago, now, hours, minutes] = (document.body.dataset.words || '').split('|');
  const refresh = () => {
    for (const t of document.querySelectorAll('time[data-relative]')) {
      const m = Math.trunc((new Date(t.dateTime) - Date.now()) / 60000), a = Math.abs(m);
      const rest = a % 60 ? `${a % 60}\u00a0${minutes}` : '';
      const words = a < 60 ? rest : `${Math.trunc(a / 60)}\u00a0${hours}${rest && ' '}${rest}`;
      t.textContent = a ? (m > 0 ? within : ago).replace('{time}', words) : now;
    }
  };
  setInterval(refresh, 30000);

  // Copy: a button with data-copy="#id" copies the text of that element.
  document.addEventListener('click', async (e) => {
    const b = e.target.closest('[data-copy]');
    if (!b) return;
    const from = $(b.dataset.copy);
    if (!from) return;
    try {
      await navigator.clipboard.writeText(from.value ?? from.textContent);
      say(b.dataset.copied || '');
      b.classList.add('done');
      setTimeout(() => b.classList.remove('done'), 1500);
    } catch { getSelection().selectAllChildren(from); }
  });

  // A form is sent once: a second press while the first is under way does nothing.
  document.addEventListener('submit', (e) => {
    const f = e.target;
    if (f.dataset.sent) { e.preventDefault(); return; }
    if ((f.method || '').toLowerCase() === 'post' && !f.hasAttribute('hx-post')) f.dataset.sent = '1';
  });
  addEventListener('pageshow', () => { for (const f of document.querySelectorAll('form[data-sent]')) delete f.dataset.sent; });

  // The menu closes when it is left.
  document.addEventListener('click', (e) => {
    for (const d of document.querySelectorAll('details.menu[open]')) if (!d.contains(e.target)) d.open = false;
  });
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') for (const d of document.querySelectorAll('details.menu[open]')) { d.open = false; $('summary', d).focus(); }
  });

  // The inbox: one row is chosen, and on a wide window its request stands beside the list.
  const wide = matchMedia('(min-width: 52.01rem)');
  const rows = () => [...document.querySelectorAll('#list > li:not([hidden]) > a')];
  const current = () => { const a = document.activeElement; return a.matches('#list a') ? a : $('#list a[aria-current]'); };
  let asked;
  const choose = (a) => {
    for (const o of document.querySelectorAll('#list a[aria-current]')) o.removeAttribute('aria-current');
    a.setAttribute('aria-current', 'true');
    if (!wide.matches) return;
    const u = new URL(location);
    u.searchParams.set('r', a.pathname.slice(3));
    history.replaceState(null, '', u);
    clearTimeout(asked);
    asked = setTimeout(() => a.dispatchEvent(new Event('preview')), 80);
  };
  const move = (step) => {
    const all = rows(), at = all.indexOf(current());
    const a = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
    if (a) { a.focus(); choose(a); }
  };
  document.addEventListener('click', (e) => { // enter and a second click open the request itself
    const a = e.target.closest('#list a');
    if (a && wide.matches && e.detail === 1 && !(e.ctrlKey || e.metaKey || e.shiftKey || e.altKey)) { e.preventDefault(); choose(a); }
  });
  const filter = $('#filter');
  const sift = () => {
    if (!filter) return;
    const want = filter.value.toLowerCase().split(/\s+/);
    for (const li of document.querySelectorAll('#list > li')) li.hidden = !want.every((w) => li.textContent.toLowerCase().includes(w));
  };
  filter?.addEventListener('input', () => { sift(); say(filter.dataset.found.replace('{n}', rows().length)); });

  // The live list is exchanged part by part: what was chosen and sifted stays so. A page
  // that has lost its feed says so.
  const live = $('#live'), stale = $('#stale');
  let lost;
  live?.addEventListener('htmx:after:swap', () => {
    const id = new URL(location).searchParams.get('r') || $('#preview [data-request]')?.dataset.request;
    if (id) document.getElementById('row-' + id)?.firstElementChild.setAttribute('aria-current', 'true');
    sift();
  });
  live?.addEventListener('request', (e) => {
    const shown = $('#preview [data-request]');
    if (shown?.dataset.request === e.detail.data) $('[data-changed]', shown).hidden = false;
  });
  live?.addEventListener('htmx:sse:error', () => { lost ||= setTimeout(() => { stale.hidden = false; }, 3000); });
  live?.addEventListener('htmx:sse:after:connection', () => { clearTimeout(lost); lost = 0; stale.hidden = true; });

  // Keys: each goes somewhere, none decides. They rest while somebody writes, and can be
  // turned off for good (WCAG 2.1.4).
  const keys = $('#keys'), on = $('#keys-on');
  const kept = (v) => { try { return v ? localStorage.setItem('keys', v) : localStorage.getItem('keys'); } catch { return null; } };
  if (on) { on.checked = kept() !== 'off'; on.addEventListener('change', () => kept(on.checked ? 'on' : 'off')); }
  keys?.addEventListener('close', () => { if (keys.contains(document.activeElement)) document.activeElement.blur(); });
  $('#keys-show')?.addEventListener('click', () => keys.showModal());
  let before = '';
  const act = (key, name, to) => {
    const row = current();
    if (!row) $(`a[data-act="${name}"]`)?.click();
    else if (row.dataset.can?.includes(key)) location = row.getAttribute('href') + to;
  };
  const press = {
    j: () => move(1), k: () => move(-1), a: () => act('a', 'approve', '/approve'), d: () => act('d', 'deny', '/reject'),
    '/': () => filter?.focus(), '?': () => keys?.showModal(), gi: () => { location = '/'; }, gh: () => { location = '/?tab=decided'; },
  };
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || !on?.checked || e.target.closest('input, textarea, select, dialog[open], [contenteditable]')) return;
    const f = press[before + e.key] || press[e.key];
    before = e.key === 'g' ? 'g' : '';
    if (f) { e.preventDefault(); f(); }
  });
})();
