(function () {
  'use strict';
  const all = (query, from) => Array.from((from || document).querySelectorAll(query));
  const figure = document.querySelector('figure');
  const tip = document.getElementById('tip');
  const visible = (part) => part.getClientRects().length > 0;

  function show(spot) {
    tip.textContent = spot.getAttribute('aria-label');
    tip.hidden = false;
    const frame = figure.getBoundingClientRect();
    const at = spot.getBoundingClientRect();
    const left = at.left - frame.left + at.width / 2 - tip.offsetWidth / 2;
    const most = frame.width - tip.offsetWidth;
    tip.style.left = Math.max(0, Math.min(left, most)) + 'px';
    const below = at.bottom + 8 + tip.offsetHeight < window.innerHeight;
    const top = below ? at.bottom + 8 : at.top - 8 - tip.offsetHeight;
    tip.style.top = top - frame.top + 'px';
  }
  const hide = () => { tip.hidden = true; };

  // One stop of the Tab key for all bones, one for all levels; arrows go on from there.
  function choose(group, spot) {
    all('.spot', group).forEach((one) => { one.tabIndex = one === spot ? 0 : -1; });
  }
  all('[data-arrows]').forEach((group) => {
    group.addEventListener('keydown', (event) => {
      const spots = all('.spot', group).filter(visible);
      const now = spots.indexOf(document.activeElement);
      const steps = { ArrowDown: now + 1, ArrowRight: now + 1, ArrowUp: now - 1,
        ArrowLeft: now - 1, Home: 0, End: spots.length - 1 };
      if (event.key === 'Escape') { hide(); }
      if (now < 0 || !(event.key in steps)) { return; }
      event.preventDefault();
      spots[Math.max(0, Math.min(steps[event.key], spots.length - 1))].focus();
    });
    all('.spot', group).forEach((spot) => {
      spot.addEventListener('mouseenter', () => show(spot));
      spot.addEventListener('mouseleave', hide);
      spot.addEventListener('focus', () => { choose(group, spot); show(spot); });
      spot.addEventListener('blur', hide);
    });
  });
  all('a[data-spot]').forEach((link) => link.addEventListener('click', (event) => {
    event.preventDefault();
    const spot = document.querySelector(link.getAttribute('href'));
    if (visible(spot)) { spot.focus(); }
  }));

  // A part is shown while all switches that it names are on.
  const switches = all('[data-switch]');
  function update() {
    const off = switches.filter((box) => !box.checked).map((box) => box.dataset.switch);
    all('[data-layer]').forEach((part) => part.classList.toggle('off',
      part.dataset.layer.split(' ').some((layer) => off.includes(layer))));
    all('[data-arrows]').forEach((group) => {
      const spots = all('.spot', group).filter(visible);
      if (!spots.some((spot) => spot.tabIndex === 0)) { choose(group, spots[0]); }
    });
  }
  switches.forEach((box) => box.addEventListener('change', update));
  update();
}());
