/** The models that serve here, as the gateway lists them, to choose from. */

/**
 * Adds a choice for each model of the gateway to a select. Where the gateway lists none, such as to
 * callers without a key, only its own choice is left.
 */
export async function offerModels(select, base) {
  const listed = await list(new URL("v1/models", base));
  for (const model of listed) select.append(new Option(title(model), model.id));
}

async function list(url) {
  try {
    const answer = await fetch(url);
    const { data } = answer.ok ? await answer.json() : { data: [] };
    // Names of other vendors' models stand for some of these; nothing is known of them.
    return data.filter(({ interims }) => interims !== undefined);
  } catch {
    return []; // the gateway is away: connecting will say so
  }
}

function title({ id, languages, interims }) {
  const few = languages?.length <= 5 ? languages.join(", ") : `${languages?.length} languages`;
  return `${id} (${languages ? few : "any language"}${interims ? "" : ", finals only"})`;
}
