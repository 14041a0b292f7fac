
(() => {
  'use strict';
  const all = (what, from = document) => [...from.querySelectorAll(what)];
  const whole = text => Number(text.replace(/\D/g, ''));
  Tablesort.extend('number', () => false, (one, other) => whole(other) - whole(one));
  // A table is made sortable when it is opened for the first time.
  document.addEventListener('toggle', event => all('table.sortable:not([data-ready])', event.target).forEach(table => {
    table.dataset.ready = '';
    new Tablesort(table);
    const space = event => { if (event.key === ' ') { event.preventDefault(); event.target.click(); } };
    all('th', table).forEach(th => th.addEventListener('keydown', space));
  }), true);

  for (const code of all('.command code')) {
    const button = document.createElement('button');
    const say = text => { button.textContent = text; };
    say('Copy');
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', () => {
      const select = () => { getSelection().selectAllChildren(code); say('Selected: press Ctrl+C'); };
      const copied = navigator.clipboard?.writeText(code.textContent) ?? Promise.reject();
      copied.then(() => say('Copied'), select).then(() => setTimeout(say, 3000, 'Copy'));
    });
    code.parentElement.after(button);
  }

  const box = document.getElementById('search');
  if (!box) return;
  box.hidden = false;
  const [input, found] = [box.querySelector('input'), box.querySelector('output')];
  let blocks;
  const read = () => blocks ??= all('#failures .block').map(block => ({
    block,
    about: block.closest('.cause').querySelector('summary').textContent.toLowerCase(),
    rows: all('tbody tr', block).map(tr => ({ tr, text: tr.textContent.toLowerCase() })),
    hits: block.querySelector('.hits'),
  }));
  input.addEventListener('focus', read, { once: true });
  input.addEventListener('input', () => {
    const query = input.value.trim().toLowerCase();
    let [total, of] = [0, 0];
    for (const { block, about, rows, hits } of read()) {
      const isAll = about.includes(query);
      const hit = rows.map(({ text }) => isAll || text.includes(query));
      const count = hit.filter(is => is).length;
      [total, of] = [total + count, of + rows.length];
      // What is hidden as a whole need not be touched.
      if (count) rows.forEach(({ tr }, n) => { if (tr.hidden === hit[n]) tr.hidden = !hit[n]; });
      block.hidden = !count;
      block.open = query !== '' && count > 0 && total <= 50;
      hits.textContent = query && ` · ${count} found`;
    }
    for (const cause of all('#failures .cause')) {
      cause.hidden = !cause.querySelector('.block:not([hidden])');
      cause.open = cause.querySelector('.block[open]') !== null;
    }
    found.textContent = query && `${total} of ${of} rows found`;
  });
})();
