// Small comforts of every page. Nothing here decides or signs anything, and every page
// works without it.
(() => {
  'use strict';
  const $ = (s, root = document) => root.querySelector(s);
  const say = (text) => { const at = $('#said'); if (at) at.textContent = text; };

  // Relative times grow old while a page stays open: the words follow the clock.
  const ago = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: 'auto', style: 'short' });
  const refresh = () => {
    for (const t of document.querySelectorAll('time[data-relative]')) {
      const s = (new Date(t.dateTime) - Date.now()) / 1000, a = Math.abs(s);
      if (a < 3600) t.textContent = ago.format(Math.round(s / 60), 'minute');
      else if (a < 86400) t.textContent = ago.format(Math.round(s / 3600), 'hour');
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
})();
