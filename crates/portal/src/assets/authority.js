// Changes of an authority: shows what a statement changes, and signs exactly this statement.
"use strict";

const changeForm = document.querySelector("form[data-sign-change]");

if (changeForm) {
  const before = JSON.parse(changeForm.elements.in_force.value);
  const after = JSON.parse(changeForm.elements.statement.value);
  const row = (cells) => {
    const line = document.createElement("tr");
    line.append(...cells.map((text) => Object.assign(element("td", text), { className: "wrap" })));
    return line;
  };
  document.querySelector("[data-differences]").append(...differences(before, after).map(row));
  document.querySelector("[data-statement]").textContent = JSON.stringify(after, null, 2);
  changeForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { form_token, recovery_code } = changeForm.elements;
      const challenge = await statementChallenge(after);
      const code = recovery_code?.value.trim() ?? "";
      const ids = changeForm.dataset.keys.split(" ").filter((id) => id);
      if (!code && !ids.length) throw withMessage("You have no key that can sign this change.");
      const assertion = code ? await signWithRecoveryCode(challenge, code) : await signWithPasskey(challenge, ids, changeForm.dataset.rp);
      const fields = { form_token: form_token.value, assertion: JSON.stringify(assertion) };
      const { state } = await exchange(changeForm.dataset.signChange, fields);
      if (state === "recorded") location.assign("/authority");
      else location.reload();
    } catch (error) {
      showError(changeForm, error);
    }
  });
}

// A new recovery code is made here; the portal gets only its public key.
const recoveryForm = document.querySelector("form[data-new-recovery]");
recoveryForm?.addEventListener("submit", async (event) => {
  if (recoveryForm.elements.recovery_key.value) return;
  event.preventDefault();
  try {
    const code = newRecoveryCode();
    recoveryForm.elements.recovery_key.value = JSON.stringify(await recoveryKey(code));
    recoveryForm.querySelector("[data-code]").textContent = code;
    recoveryForm.querySelector("[data-shown]").hidden = false;
    event.submitter.textContent = "I wrote the code down: propose the change";
  } catch (error) {
    showError(recoveryForm, error);
  }
});
