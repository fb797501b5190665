/**
 * The pickers of model and language, filled from the gateway's list of models.
 */

const element = (id) => document.getElementById(id);

/** The language of a tag in English; the tag itself where the browser knows no name. */
function nameOf(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

function fill(select, entries) {
  const chosen = select.value;
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  if (entries.some(([value]) => value === chosen)) select.value = chosen;
}

function title({ id, languages, interims }) {
  const few = languages.length <= 5 ? languages.join(", ") : `${languages.length} languages`;
  return `${id} (${languages.length === 0 ? "any language" : few}${interims ? "" : ", finals only"})`;
}

/**
 * Shows the languages of the chosen model, or of all.
 *
 * @param {{id: string, languages: string[]}[]} models
 */
function fillLanguages(models) {
  const chosen = element("model").value;
  const fitting = models.filter(({ id }) => chosen === "" || id === chosen);
  const tags = [...new Set(fitting.flatMap(({ languages }) => languages))];
  const names = tags.map((tag) => [tag, nameOf(tag)]).sort((a, b) => a[1].localeCompare(b[1]));
  const only = names.length === 1 ? names[0][1] : null;
  fill(element("language"), [["", only ?? "Found out or default"], ...(only ? [] : names)]);
  element("language-hint").textContent = only === null ? "" : `${only} only`;
}

/**
 * Asks for the models and fills both pickers; leaves them as they are if there is no answer.
 *
 * @param {Record<string, string>} headers With the key, where access needs one.
 */
export async function fillPickers(headers) {
  let models;
  try {
    const response = await fetch(new URL("v1/models", document.baseURI), { headers });
    if (!response.ok) return;
    models = (await response.json()).data;
  } catch {
    return; // the page works without: connecting says what is wrong
  }
  // Names that only stand for others' models have no languages: they would not help to choose.
  const own = models
    .filter(({ interims, languages }) => interims !== undefined || languages !== undefined)
    .map((model) => ({ ...model, languages: model.languages ?? [] }));
  const choices = own.map((model) => [model.id, title(model)]);
  fill(element("model"), [["", "by the language"], ...choices]);
  fillLanguages(own);
  element("model").onchange = () => fillLanguages(own);
}
