
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
  const read = () => blocks ??= all('#failures .block').map(block => {
    const about = block.closest('.cause').querySelector('summary').textContent;
    const rows = all('tbody tr', block).map(tr => [tr, (tr.textContent + about).toLowerCase()]);
    return { block, rows, hits: block.querySelector('.hits') };
  });
  input.addEventListener('focus', read, { once: true });
  input.addEventListener('input', () => {
    const query = input.value.trim().toLowerCase();
    let [total, of] = [0, 0];
    for (const { block, rows, hits } of read()) {
      const before = total;
      for (const [tr, text] of rows) {
        const is = text.includes(query);
        if (tr.hidden === is) tr.hidden = !is;
        total += is;
      }
      of += rows.length;
      block.hidden = total === before;
      block.open = query !== '' && !block.hidden && total <= 200;
      hits.textContent = query && ` · ${total - before} found`;
    }
    for (const cause of all('#failures .cause')) {
      cause.hidden = !cause.querySelector('.block:not([hidden])');
      cause.open = cause.querySelector('.block[open]') !== null;
    }
    found.textContent = query && `${total} of ${of} rows found`;
  });
})();
