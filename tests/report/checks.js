// What the tests ask of a page. Each function returns what is wrong, in words, or facts to be judged in the test.
(() => {
  const shown = one => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const where = one => `<${one.localName}${one.id && "#" + one.id}> ${JSON.stringify(one.textContent.trim().slice(0, 60))}`;
  const parents = one => (one ? [one, ...parents(one.parentElement)] : []);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const scale = one => one instanceof SVGGraphicsElement ? Math.hypot(one.getScreenCTM().a, one.getScreenCTM().b) : 1;

  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  function rgba(colour) {  // whatever notation it is computed to: the browser knows them all
    if (!known.has(colour)) {
      pixel.clearRect(0, 0, 1, 1);
      pixel.fillStyle = colour;
      pixel.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const over = ([r, g, b, a], below) => [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
  const faded = ([r, g, b, a], share) => [r, g, b, a * share];
  const luminance = colour => colour
    .map(value => value / 255)
    .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);

  // of all parents, the outermost first
  const background = one => parents(one).reverse()
    .reduce((below, each) => over(rgba(getComputedStyle(each).backgroundColor), below), rgba("white"));

  function shapesUnder(text, below) {  // in a picture, shapes that are drawn before a text may lie under its middle
    const box = text.getBoundingClientRect();
    const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
    for (const shape of all("path, rect, circle, polygon, ellipse", text.ownerSVGElement)) {
      const style = getComputedStyle(shape);
      const before = shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING;
      const under = before && style.fill !== "none" && shape.isPointInFill(middle.matrixTransform(shape.getScreenCTM().inverse()));
      if (under) below = over(faded(rgba(style.fill), style.fillOpacity * style.opacity), below);
    }
    return below;
  }

  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = new Set();
    while (walker.nextNode()) {
      const one = walker.currentNode.parentElement;
      const box = one.getBoundingClientRect();
      const drawn = !one.closest("script, style, template, noscript, svg title, svg desc") && box.width > 1 && box.height > 1;
      if (walker.currentNode.data.trim() && drawn && shown(one)) found.add(one);
    }
    return [...found];
  }

  const heads = table => [...(table.tHead || table).rows[0].cells];
  const labelled = one => ["aria-label", "aria-labelledby"].some(name => one.getAttribute(name));
  const scrolls = one => one !== document.body && getComputedStyle(one).overflowX !== "visible";
  const LINKS = ["aria-labelledby", "aria-describedby", "aria-controls", "for", "popovertarget"];
  const LOADING = "img, script, iframe, object, embed, link, audio, video, form, base, foreignObject, meta[http-equiv=refresh]";

  return {
    openAll: () => all("details").forEach(one => { one.open = true; }),

    // WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 from 24 px on, or from 18.66 px on if bold
    faintTexts: () => texts().flatMap(one => {
      const style = getComputedStyle(one);
      const drawn = one instanceof SVGElement;
      const share = parents(one).reduce((product, each) => product * getComputedStyle(each).opacity, drawn ? style.fillOpacity : 1);
      const below = drawn ? shapesUnder(one, background(one)) : background(one);
      const found = ratio(over(faded(rgba(drawn ? style.fill : style.color), share), below), below);
      const size = parseFloat(style.fontSize) * scale(one);
      const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      return found < needed - 0.005 ? [`${where(one)}: ${found.toFixed(2)}`] : [];
    }),
    tinyTexts: least => texts().filter(one => parseFloat(getComputedStyle(one).fontSize) * scale(one) < least).map(where),
    pageBackground: () => luminance(background(document.body)),

    // what reaches beyond the page, unless a box of its own scrolls or cuts it; and what such a box does not show at once
    overflowing: width => all("body *").filter(one => {
      return shown(one) && one.getBoundingClientRect().right > width + 0.5 && !parents(one.parentElement).some(scrolls);
    }).map(where),
    clipped: () => all("body *").filter(one => shown(one) && scrolls(one) && one.scrollWidth > one.clientWidth + 1).map(where),
    pageWidth: () => document.documentElement.scrollWidth,

    headings: () => all("h1, h2, h3, h4, h5, h6").map(one => [Number(one.localName[1]), one.textContent.trim()]),
    repeatedIds() {
      const ids = all("[id]").map(one => one.id);
      return ids.filter((id, i) => ids.indexOf(id) !== i);
    },
    deadReferences: () => all("*").flatMap(one => [
      ...LINKS.flatMap(name => (one.getAttribute(name) || "").split(/\s+/)),
      ...(one.getAttribute("href")?.startsWith("#") ? [decodeURIComponent(one.hash.slice(1))] : []),
    ]).filter(id => id && !document.getElementById(id)),
    namelessTables: () => all("table").filter(one => !one.caption?.textContent.trim() && !labelled(one)).map(where),
    namelessPictures: () => [
      ...all("img").filter(one => !one.hasAttribute("alt")),
      ...all("svg:not([aria-hidden=true])").filter(one => !one.querySelector("title")?.textContent.trim() && !labelled(one)),
    ].map(where),
    namelessControls: () => all("button, a[href], summary, input").filter(one => {
      return shown(one) && !one.textContent.trim() && !labelled(one) && !one.labels?.length;
    }).map(where),

    // WCAG 2.2, 2.5.8: 24 CSS pixels either way, but for links within a text
    smallTargets: () => all("button, summary, label, nav a, .tools a, tbody th a").filter(one => {
      const { width, height } = one.getBoundingClientRect();
      return shown(one) && (height < 23.5 || width < 23.5);
    }).map(where),

    images: () => all("img").length,
    emptyImages: () => Promise.all(all("img").map(one => one.decode().then(() => one.naturalWidth, () => 0)))
      .then(widths => widths.filter(width => !width)),
    foreign: () => all(LOADING).filter(one => {
      return !(one.localName === "img" && one.src.startsWith("data:image/")) && !(one.localName === "script" && !one.src);
    }).map(one => one.outerHTML.slice(0, 80)),
    handlers: () => all("*").flatMap(one => [...one.attributes]
      .filter(each => /^on/i.test(each.name) || /^\s*javascript:/i.test(each.value)).map(each => `${where(one)} ${each.name}`)),
    texts: () => document.body.textContent,

    // where an interval is told on hover: is it written as well, for whoever has no mouse?
    hiddenIntervals: () => all("[title*=interval]").filter(shown).filter(one => {
      const ends = one.title.match(/interval (\S+) to (\S+?)(;|,|$)/);
      return !ends || !ends.slice(1, 3).every(end => one.parentElement.innerText.includes(end));
    }).map(one => `${where(one)} ${one.title}`),

    // tables: the sortable headers as [table, column], and a table's rows as they stand
    sortable: () => all("table").flatMap((table, t) => heads(table).map((one, c) => [t, c, one.querySelector("button")]))
      .filter(([, , button]) => button).map(([t, c]) => [t, c]),
    header: (t, c) => heads(all("table")[t])[c].querySelector("button"),
    sorted: (t, c) => heads(all("table")[t])[c].getAttribute("aria-sort"),
    rows: t => all("tbody tr", all("table")[t]).map(row => [...row.cells].map(cell => cell.innerText.trim())),
  };
})()
