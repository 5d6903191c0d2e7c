// Founding of a tenant: the first statement of its authority is written, shown and signed in the browser of its approver.
"use strict";

const founding = document.querySelector("form[data-founding]");
const foundingPart = (name) => document.querySelector(`[data-part="${name}"]`);

const showPart = (name) => {
  for (const part of document.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
  foundingPart(name).focus();
};

let statement;

const secondsIn = (field) => {
  const seconds = approvedSeconds(field.value);
  if (!seconds) throw withMessage(`${field.value} is not a time. Enter a number and a unit, such as 12h.`);
  return seconds;
};

const statementOf = (fields) => {
  const draft = JSON.parse(fields.draft.value);
  const rules = {
    ...draft.rules,
    decision_deadline_seconds: secondsIn(fields.decision_deadline),
    access_ceiling_seconds: secondsIn(fields.access_ceiling),
    comment_required: fields.comment_required.checked,
    software_keys: fields.software_keys.checked,
  };
  const change_delay_seconds = secondsIn(fields.change_delay);
  if (change_delay_seconds < 86400) throw withMessage("The delay of a change that weakens protection is at least 24h.");
  const notification_recipients = fields.notification_recipients.value.split(/\s+/).filter((address) => address);
  return { ...draft, rules, change_delay_seconds, notification_recipients };
};

founding?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const fields = founding.elements;
    const made = statementOf(fields);
    const [approver] = made.approvers;
    const key = await createPasskey(made.portal.rp_id, approver.person, approver.name, fields.display_name.value);
    made.approvers = [{ ...approver, keys: [key] }];
    if (fields.recovery.checked) {
      const code = newRecoveryCode();
      made.recovery_key = await recoveryKey(code);
      foundingPart("sign").querySelector("[data-code]").textContent = code;
    }
    foundingPart("sign").querySelector("[data-recovery]").hidden = !fields.recovery.checked;
    statement = made;
    showPairs(foundingPart("sign").querySelector("dl"), describe(statement));
    foundingPart("sign").querySelector("pre").textContent = JSON.stringify(statement, null, 2);
    showPart("sign");
  } catch (error) {
    showError(founding, error);
  }
});

const signFounding = document.querySelector("form[data-sign-founding]");
signFounding?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const ids = statement.approvers[0].keys.map((key) => key.id);
    const assertion = await signWithPasskey(await statementChallenge(statement), ids, statement.portal.rp_id);
    const fields = { code: founding.elements.code.value, statement: canonical(statement), assertion: JSON.stringify(assertion) };
    const { recorded_at } = await exchange(founding.dataset.founding, fields);
    const file = { v: 1, tenant: statement.tenant, statements: [{ statement, signatures: [assertion], recorded_at }] };
    const done = foundingPart("founded");
    done.querySelector("[data-fingerprint]").textContent = await fingerprintOf(statement);
    offerFile(done.querySelector("a[data-file]"), `${statement.tenant}.authority.json`, canonical(file));
    showPart("founded");
  } catch (error) {
    showError(signFounding, error);
  }
});

for (const button of document.querySelectorAll("button[data-print]")) button.addEventListener("click", () => window.print());
