/* What can be measured of a page as it stands: returns {rule: [what breaks it]}. */
({large, width, height, edge, smallestText, smallestTarget}) => {
  const found = {};
  const breaks = (rule, what) => (found[rule] = found[rule] || []).push(what);
  const named = element => element.tagName.toLowerCase() + (element.id ? `#${element.id}` : '')
    + [...element.classList].map(name => `.${name}`).join('');
  const rounded = box => [box.left, box.top, box.right, box.bottom].map(Math.round).join(' ');

  /* Nothing moves meanwhile: what is known of an element is asked for once. */
  const once = ask => {
    const known = new Map();
    return element => {
      if (!known.has(element)) { known.set(element, ask(element)); }
      return known.get(element);
    };
  };

  /* Shown to eyes: not hidden, not only for screen readers, not beside the screen. */
  const shown = once(element => {
    if (!element.checkVisibility({visibilityProperty: true}) || element.closest('.sr, .enter, noscript')) {
      return false;
    }
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right > 0 && !element.closest('details:not([open]) > ul');
  });

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.nodeValue.trim() || /^(SCRIPT|STYLE|NOSCRIPT)$/.test(element.tagName) || !shown(element)) { continue; }
    const range = document.createRange();
    range.selectNodeContents(node);
    texts.push({element, text: node.nodeValue.trim(), boxes: [...range.getClientRects()]});
  }

  if (document.scrollingElement.scrollWidth > width) {
    breaks('overflow', `the page is ${document.scrollingElement.scrollWidth} wide`);
  }
  if (large && document.scrollingElement.scrollHeight > height) {
    breaks('overflow', `the page is ${document.scrollingElement.scrollHeight} high`);
  }

  for (const {element, text} of texts) {
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < smallestText - 0.05) { breaks('small text', `${size} px: ${text}`); }
  }

  /* The part of a box that nobody cuts off. */
  const frame = once(element => {
    if (!element || element === document.body) {
      return {left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity};
    }
    const outer = frame(element.parentElement);
    const style = getComputedStyle(element);
    return style.overflowX !== 'visible' && style.display !== 'inline'
      ? within(element.getBoundingClientRect(), outer) : outer;
  });
  const within = (box, outer) => ({
    left: Math.max(box.left, outer.left), right: Math.min(box.right, outer.right),
    top: Math.max(box.top, outer.top), bottom: Math.min(box.bottom, outer.bottom),
  });
  const visible = (box, element) => within(box, frame(element));

  if (large) {
    const safe = {left: width * edge, top: height * edge, right: width * (1 - edge), bottom: height * (1 - edge)};
    const inside = (box, what) => {
      if (box.left < safe.left - 1 || box.top < safe.top - 1 || box.right > safe.right + 1 || box.bottom > safe.bottom + 1) {
        breaks('safe area', `${what} at ${rounded(box)}`);
      }
    };
    texts.forEach(({element, text, boxes}) => boxes.forEach(box => inside(visible(box, element), text)));
    for (const element of document.querySelectorAll('img, svg:not(.glow), .card, .button, .tile, .tray, .shop, .pick')) {
      if (shown(element)) { inside(element.getBoundingClientRect(), named(element)); }
    }
  } else {
    texts.forEach(({element, text, boxes}) => boxes.forEach(whole => {
      const box = visible(whole, element);
      if (box.left < 0 || box.right > width + .5) { breaks('overflow', `${text} at ${rounded(box)}`); }
    }));
  }

  /* What one presses is no riddle: a single word stands on one line. */
  for (const {element, text, boxes} of texts) {
    const lines = new Set(boxes.map(box => Math.round(box.top)));
    if (element.closest('button, .button, .page > .facts dt, .page > .card .facts dt') && lines.size > 1 && !/[\s-]/.test(text)) { breaks('broken word', text); }
  }

  /* In lists, names of any script begin where the others do. */
  for (const {element, text, boxes} of texts) {
    const name = element.closest('.line .name, .goods .name, .part .name');
    if (!large && name && boxes[0].left > name.getBoundingClientRect().left + 1 && element === name) {
      breaks('ragged', `${text} at ${rounded(boxes[0])}`);
    }
  }

  /* Names of products are shortened; nothing else is. */
  for (const element of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(element);
    if (style.overflowX === 'visible' || style.display === 'inline' || !shown(element)) { continue; }
    if (element.closest('.name, .pic, .toast, .stage > .goods .price, .phone, svg, .scroll')) { continue; }
    if (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1) {
      breaks('cut off', `${named(element)}: ${element.innerText}`);
    }
  }

  /* No text stands on another one, but for the bar that a phone scrolls under. */
  const layer = once(element => element.closest('.thumb, .head, .asleep') || document.body);
  const flat = texts.flatMap(({element, text, boxes}) => element.closest('.letter, .count') ? []
    : boxes.map(box => ({element, text, box: visible(box, element)})));
  flat.forEach((one, index) => {
    for (let next = index + 1; next < flat.length; next += 1) {
      const other = flat[next];
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      if (across <= 2) { continue; }
      const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (down > .3 * Math.min(one.box.bottom - one.box.top, other.box.bottom - other.box.top)
          && one.element !== other.element && layer(one.element) === layer(other.element)) {
        breaks('overlap', `${one.text} / ${other.text}`);
      }
    }
  });

  /* Nor under a button of a large screen. */
  for (const button of large ? document.querySelectorAll('.button, .tile, .shop, .choice') : []) {
    if (!shown(button)) { continue; }
    const over = button.getBoundingClientRect();
    for (const {element, text, box} of flat) {
      if (button.contains(element) || layer(button) !== layer(element)) { continue; }
      const across = Math.min(box.right, over.right) - Math.max(box.left, over.left);
      const down = Math.min(box.bottom, over.bottom) - Math.max(box.top, over.top);
      if (across > 2 && down > .2 * (box.bottom - box.top)) { breaks('overlap', `${text} / ${named(button)}`); }
    }
  }

  for (const element of document.querySelectorAll('a[href], button, input, summary, select, textarea')) {
    if (!shown(element) || element.type === 'hidden' || element.closest('p') && element.matches('.also a')) { continue; }
    const box = element.getBoundingClientRect();
    if (Math.min(box.width, box.height) < smallestTarget - .5) {
      breaks('small target', `${named(element)} ${Math.round(box.width)}x${Math.round(box.height)}: ${element.innerText}`);
    }
  }

  for (const element of document.images) {
    if (shown(element) && element.complete && element.naturalWidth === 0) { breaks('broken picture', element.src); }
  }

  const code = document.querySelector('.card.code img');
  /* While somebody has it on the phone, it may be smaller. */
  const least = document.querySelector('[data-state="opened"]') ? .28 : .45;
  if (code && shown(code) && code.getBoundingClientRect().height < Math.min(width, height) * least) {
    breaks('small code', `${code.getBoundingClientRect().height} px`);
  }
  return found;
}
