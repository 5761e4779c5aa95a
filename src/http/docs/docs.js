// Shows the API's description, openapi.json, which stands beside this page's own path.
"use strict";

const base = location.pathname.replace(/\/docs(\/problems)?\/?$/, "");
const origin = location.origin + base;

/** Makes an element; text becomes text, never markup. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  for (const child of children) if (child != null) element.append(child);
  return element;
}

/** Paragraphs and `code` of a description. */
function prose(text) {
  return (text || "").split(/\n\n+/).filter(Boolean).map((paragraph) => {
    const element = make("p");
    paragraph.split("`").forEach((part, index) => element.append(index % 2 ? make("code", {}, part) : part));
    return element;
  });
}

function resolve(document_, schema) {
  if (schema && schema.$ref) return schema.$ref.slice(2).split("/").reduce((node, name) => node[name], document_);
  return schema || {};
}

/** A schema's properties, those that it takes over included. */
function properties(document_, schema) {
  const own = resolve(document_, schema);
  const parts = own.oneOf ? own.oneOf.filter((part) => part.type !== "null") : own.allOf || [];
  const required = new Set(own.required || []);
  let all = Object.entries(own.properties || {}).map(([name, value]) => [name, value, required.has(name)]);
  for (const part of parts) all = all.concat(properties(document_, part));
  if (own.items) all = all.concat(properties(document_, own.items));
  return all;
}

function kind(document_, schema) {
  const own = resolve(document_, schema);
  if (own.items) return "list of " + kind(document_, own.items);
  if (own.oneOf) return own.oneOf.map((part) => kind(document_, part)).join(" or ");
  const types = [].concat(own.type || "value").join(" or ");
  const limits = [];
  if (own.format) limits.push(own.format);
  if (own.pattern) limits.push(own.pattern);
  if (own.minimum > 0 || own.maximum != null) limits.push(`${own.minimum ?? ""} … ${own.maximum ?? ""}`);
  if (own.minLength != null || own.maxLength != null) limits.push(`${own.minLength ?? 0} … ${own.maxLength ?? ""} characters`);
  return types + (limits.length ? ` (${limits.join(", ")})` : "");
}

function table(rows) {
  const body = rows.map(([name, type, must, text]) => {
    const cell = make("td", {}, make("code", {}, name));
    if (must) cell.append(make("div", { class: "must" }, "required"));
    return make("tr", {}, cell, make("td", {}, type), make("td", {}, ...prose(text)));
  });
  const head = make("tr", {}, ...["Name", "Kind", "Meaning"].map((title) => make("th", { scope: "col" }, title)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

function schemaTable(document_, schema) {
  const rows = properties(document_, schema).map(([name, value, must]) => {
    const text = value.description || resolve(document_, value).description;
    return [name, kind(document_, value), must, text];
  });
  return rows.length ? table(rows) : null;
}

function example(document_, method, path, operation) {
  const lines = [`curl -X ${method} '${origin}${path}'`];
  if (operation.security) lines.push(`-H "X-Vinzy-Api-Key: $VINZY_API_KEY"`);
  const content = operation.requestBody?.content?.["application/json"];
  if (content) {
    const body = {};
    for (const [name, value, must] of properties(document_, content.schema)) if (must) body[name] = `<${kind(document_, value)}>`;
    lines.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(body)}'`);
  }
  const text = lines.join(" \\\n  ");
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return make("div", { class: "example" }, make("pre", {}, text), button);
}

function section(document_, method, path, operation) {
  const route = make("p", { class: "route" }, make("span", { class: `method ${method}` }, method), make("code", {}, path));
  if (operation.deprecated) route.append(" ", make("span", { class: "old" }, "deprecated"));
  const element = make("section", { class: "operation", id: operation.operationId }, make("h3", {}, operation.summary || path), route, ...prose(operation.description));
  const roles = operation.security?.[0]?.apiKey;
  if (roles) element.append(make("p", {}, "Opens to: ", roles.length ? roles.join(", ") : "any API key", "."));
  const parameters = (operation.parameters || []).map((p) => [p.name, `${p.in} ${kind(document_, p.schema)}`, p.required, p.description]);
  if (parameters.length) element.append(make("h4", {}, "Parameters"), table(parameters));
  const content = operation.requestBody?.content?.["application/json"];
  if (content) element.append(make("h4", {}, "Body"), schemaTable(document_, content.schema) || "");
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const heading = make("h4", {}, `${status} – `);
    heading.append(...prose(answer.description).flatMap((paragraph) => [...paragraph.childNodes]));
    element.append(heading);
    const good = answer.content?.["application/json"];
    const shown = good && status < 300 ? schemaTable(document_, good.schema) : null;
    if (shown) element.append(shown);
  }
  element.append(make("h4", {}, "Example"), example(document_, method, path, operation));
  return element;
}

/** The problems, by the names that end their `type`. */
const PROBLEMS = [
  ["validation-error", 422, "Fields of the request are wrong; `errors` names each with what it must be."],
  ["malformed-json", 400, "The body is not JSON; the detail tells line and column."],
  ["incomplete-body", 400, "The body ended before it was complete."],
  ["signature-missing", 400, "A message of a provider of payments lacks a header of its signature, or it cannot be read."],
  ["signature-invalid", 400, "A message of a provider of payments is not signed with a secret that is set for it, or was changed on the way."],
  ["signature-expired", 400, "A message of a provider of payments was signed more than 300 seconds before or after now."],
  ["malformed-event", 400, "A message of a provider of payments is signed, and no event of theirs."],
  ["unauthorized", 401, "There is no API key, or it is not known. Send it as `X-Vinzy-Api-Key` or `Authorization: Bearer`."],
  ["forbidden", 403, "The API key is known and may not do this; `required_scopes` names the scopes one of which it needs. Or the request comes from an address or a web page that is not let in."],
  ["too-many-readers", 429, "This API key, or its tenant, reads events and exports as often at a time as it may: 16 times a key, 256 times a tenant, on each server. End another request first."],
  ["no-such-route", 404, "There is nothing at this path."],
  ["product-not-found", 404, "There is no such product, or it was deleted."],
  ["tier-not-found", 404, "The product has tiers, and none of this name."],
  ["customer-not-found", 404, "There is no such customer, or they were deleted."],
  ["erasure-not-found", 404, "The customer's personal data were not erased."],
  ["license-not-found", 404, "There is no such license, or it was deleted."],
  ["machine-not-found", 404, "The license has no such machine, or no longer."],
  ["anomaly-not-found", 404, "There is no such anomaly."],
  ["api-key-not-found", 404, "There is no such API key, or it was revoked."],
  ["webhook-not-found", 404, "There is no such webhook endpoint, or it was deleted."],
  ["delivery-not-found", 404, "There is no such delivery to a webhook endpoint, or it is kept no longer."],
  ["mail-not-found", 404, "There is no such mail, or its customer was erased."],
  ["provisioning-not-configured", 404, "Messages of this provider of payments are not taken for this tenant: no secret is set for them."],
  ["tenant-not-found", 404, "There is no such tenant, or it was closed."],
  ["ledger-not-found", 404, "There is no such ledger, or it is not yours to read."],
  ["tile-not-found", 404, "The ledger has no such tile, or no signed checkpoint covers it yet, or its path is not written in the one way."],
  ["event-not-found", 404, "The ledger has no such event."],
  ["method-not-allowed", 405, "The path does not take this method; `Allow` names those that it takes."],
  ["request-timeout", 408, "The body did not come in time."],
  ["product-code-taken", 409, "Another product has this code."],
  ["email-taken", 409, "Another customer has this e-mail address."],
  ["customer-erased", 409, "The customer's personal data were erased, and no new ones are taken."],
  ["in-use", 409, "It cannot be deleted while licenses use it; `used_by` counts them."],
  ["license-revoked", 409, "The license has been revoked, which is final."],
  ["license-suspended", 409, "The license is suspended."],
  ["license-expired", 409, "The license has expired."],
  ["activation-limit", 409, "All seats of the license are taken."],
  ["limit-exceeded", 409, "It would pass a limit."],
  ["api-key-expired", 409, "The API key has expired: give it another end first."],
  ["tenant-slug-taken", 409, "There is a tenant with this slug, or there was one."],
  ["hmac-key-missing", 409, "The tenant's license keys are signed with a version of the HMAC key that the server does not have any more."],
  ["checkpoint-contended", 503, "Too many sign this ledger's checkpoints at once. Ask again."],
  ["ledger-forked", 409, "The ledger does not continue the checkpoint that was signed last: it was rewritten, or an old copy was restored."],
  ["delivery-under-way", 409, "The delivery is being sent just now: look again in a moment."],
  ["mail-delivered", 409, "A mail server has taken the mail, and its license key was deleted then: issue another license, and revoke this one."],
  ["mail-under-way", 409, "The mail is being sent just now: look again in a moment."],
  ["mail-not-configured", 409, "No mail server is set: there is no way to send the mail."],
  ["idempotency-key-reused", 409, "The Idempotency-Key was used for a different request before."],
  ["key-no-longer-shown", 409, "The license key, API key or webhook secret was made before under this Idempotency-Key, and cannot be made or found again since."],
  ["already-exists", 409, "The id is taken."],
  ["event-archived", 410, "An event that is asked for, or that the answer would be made of, was moved into an archive. Whoever runs the server has it and can put it back."],
  ["payload-too-large", 413, "The body is larger than 65,536 bytes."],
  ["unsupported-media-type", 415, "The body must be JSON, with `Content-Type: application/json`."],
  ["rate-limited", 429, "Too many requests: `Retry-After` says in how many seconds to try again."],
  ["internal-error", 500, "Something went wrong on the server; the request id leads to the cause in its log."],
  ["verification-busy", 503, "A verification of this ledger is under way, or as many of others as the server does at a time: `Retry-After` says when to try again."],
  ["overloaded", 503, "The server has as much to do as it can: `Retry-After` says when to try again."],
  ["timed-out", 503, "The request took longer than half a minute and was given up; it may have been carried out. Repeat it, best with an Idempotency-Key."],
  ["ledger-unavailable", 503, "The ledger cannot be written at the moment. Repeat the request, best with an Idempotency-Key."],
  ["database-unavailable", 503, "The database cannot be used at the moment: it cannot be reached, is starting or stopping, or has no room."],
  ["read-model-behind", 503, "The read model has not caught up yet."],
  ["stale", 503, "This node has lost the database and cannot tell any more whether a license is good."],
];

function show(document_) {
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  main.replaceChildren(make("h2", {}, `${document_.info.title} ${document_.info.version}`), ...prose(document_.info.description));
  const byTag = new Map((document_.tags || []).map((tag) => [tag.name, { tag, operations: [] }]));
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const group = byTag.get((operation.tags || [])[0]);
      if (group) group.operations.push([method.toUpperCase(), path, operation]);
    }
  }
  const groups = [];
  for (const { tag, operations } of byTag.values()) {
    main.append(make("h2", { class: "tag" }, tag.name), ...prose(tag.description));
    const heading = make("h2", {}, tag.name);
    const links = operations.map(([method, path, operation]) => {
      main.append(section(document_, method, path, operation));
      const link = make("a", { href: `${base}/docs#${operation.operationId}` }, make("span", { class: `method ${method}` }, method), make("span", {}, operation.summary));
      link.dataset.text = `${method} ${path} ${operation.summary} ${tag.name}`.toLowerCase();
      return link;
    });
    contents.append(heading, ...links);
    groups.push([heading, links]);
  }
  main.append(make("h2", { class: "tag", id: "problems" }, "Problems"), ...prose("Every error is a problem document (RFC 9457). Its `type` ends in one of these names, its `code` is the same in capitals."));
  for (const [name, status, text] of PROBLEMS) {
    main.append(make("section", { class: "operation", id: name }, make("h3", {}, make("code", {}, name), ` ${status}`), ...prose(text)));
  }
  contents.append(make("h2", {}, "Problems"), make("a", { href: `${base}/docs#problems` }, make("span", {}, ""), "All problems"));
  document.getElementById("filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [heading, links] of groups) {
      for (const link of links) link.hidden = !words.every((word) => link.dataset.text.includes(word));
      heading.hidden = links.every((link) => link.hidden);
    }
  });
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

fetch(`${base}/openapi.json`)
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then(show)
  .catch((error) => { document.getElementById("state").textContent = `The API's description could not be loaded: ${error.message}`; });
