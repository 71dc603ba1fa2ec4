// The ceremony of a passkey. A form with data-ceremony="get" or "create" is sent in two
// steps to its own address: first with phase=begin, which answers with a challenge that
// is made for exactly what the form says; then whole, with what the passkey answered.
(() => {
  'use strict';
  const begin = async (form) => {
    const body = new URLSearchParams(new FormData(form));
    body.set('phase', 'begin');
    const r = await fetch(form.getAttribute('action'), { method: 'POST', body, headers: { Accept: 'application/json', 'HX-Request': 'true' }, redirect: 'error' });
    if (r.headers.get('Content-Type')?.startsWith('application/json') && r.ok) return r.json();
    throw Object.assign(new Error('refused'), { name: 'Refused', html: await r.text() });
  };

  const fail = (form, error) => {
    const at = form.querySelector('.failure'), all = form.querySelector('template[data-failures]');
    if (error.name === 'Refused') {
      // The server's own words, as a page it rendered: a difference, a lock, who was first.
      at.replaceChildren(...new DOMParser().parseFromString(error.html, 'text/html').body.childNodes);
    } else {
      const names = [...all.content.querySelectorAll('dt')];
      const dt = names.find((d) => d.textContent === error.name) || names.find((d) => d.textContent === '*');
      at.textContent = dt.nextElementSibling.textContent;
    }
    at.hidden = false;
    at.scrollIntoView({ block: 'nearest' });
  };

  const run = async (form, button) => {
    if (form.dataset.busy) return;
    if (!form.reportValidity()) return;
    form.dataset.busy = '1';
    button.setAttribute('aria-busy', 'true');
    form.querySelector('.failure').hidden = true;
    try {
      const c = await begin(form);
      const answer = form.dataset.ceremony === 'create'
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(c.options.publicKey ?? c.options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(c.options.publicKey ?? c.options) });
      form.elements.challenge.value = c.challenge;
      form.elements.passkey.value = JSON.stringify(answer.toJSON());
      for (const i of form.querySelectorAll('input[name=password], input[name=totp]')) i.value = '';
      form.noValidate = true;
      form.requestSubmit();
    } catch (error) {
      fail(form, error);
    } finally {
      delete form.dataset.busy;
      button.removeAttribute('aria-busy');
    }
  };

  const able = 'credentials' in navigator && typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;
  const ready = (root) => {
    for (const b of root.querySelectorAll('form[data-ceremony] [data-passkey]')) b.hidden = !able;
  };
  document.addEventListener('click', (e) => {
    const b = e.target.closest('form[data-ceremony] [data-passkey]');
    if (b) run(b.form, b);
  });
  ready(document);

  // A link's token stands behind the # of its address, which is sent to nobody. It goes
  // into the form, and out of the address and the history.
  for (const i of document.querySelectorAll('input[data-from-address]')) {
    if (location.hash.length < 2) continue;
    i.value = location.hash.slice(1);
    i.type = 'hidden';
    i.closest('[data-pasted]').hidden = true;
    history.replaceState(null, '', location.pathname);
  }
  for (const b of document.querySelectorAll('[data-print]')) {
    b.hidden = false;
    b.addEventListener('click', () => print());
  }
  document.addEventListener('htmx:after:swap', () => ready(document));
})();
