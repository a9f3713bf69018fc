// Finds headings of all pages by the words that are typed; headings.js has them: title, page, address.
const find = document.getElementById('find'), found = document.getElementById('found'), pages = document.getElementById('pages');
find.addEventListener('input', () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = words.length ? headings.filter(([title, page]) => words.every(word => (title + ' ' + page).toLowerCase().includes(word))) : [];
  found.replaceChildren(...hits.slice(0, 40).map(([title, page, address]) => {
    const item = document.createElement('li'), link = document.createElement('a'), where = document.createElement('small');
    link.href = find.dataset.base + '/' + address;
    where.textContent = page;
    link.append(title, where);
    item.append(link);
    return item;
  }));
  found.hidden = !words.length;
  pages.hidden = !!words.length;
});
