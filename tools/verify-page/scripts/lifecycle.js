// The lifecycle of a request (format page, section 10): which step may follow, by whom, and when.

const TRANSITIONS = {
  "request.submitted": [["", "pending_vendor"]],
  "request.vendor_approved": [["pending_vendor", "pending_customer"]],
  "request.vendor_denied": [["pending_vendor", "vendor_denied"]],
  "request.break_glass_supported": [["pending_vendor", "pending_vendor"]],
  "request.break_glass_approved": [["pending_vendor", "pending_vendor"]],
  "request.customer_approved": [["pending_customer", "pending_customer"]],
  "request.reminded": [["pending_customer", "pending_customer"]],
  "request.customer_denied": [["pending_customer", "customer_denied"]],
  "grant.activated": [["pending_customer", "active"], ["pending_vendor", "active"]],
  "request.expired": [["pending_vendor", "expired"], ["pending_customer", "expired"]],
  "request.withdrawn": [["pending_vendor", "withdrawn"], ["pending_customer", "withdrawn"]],
  "request.commented": [["pending_vendor", "pending_vendor"], ["pending_customer", "pending_customer"], ["active", "active"]],
  "grant.ended": [["active", "ended"]],
  "report.acknowledged": [["ended", "ended"]],
  "report.disputed": [["ended", "ended"]],
};
const BREAK_GLASS_ONLY = ["request.break_glass_supported", "request.break_glass_approved"];
const BREAK_GLASS_CEILING = 14400;

// The person who acts in an entry, `{id, side}`, or null.
function personOf(entry) {
  const actor = entry.data.actor;
  return at(actor, "kind") === "person" && isUuid(at(actor, "id")) ? { id: actor.id, side: actor.side } : null;
}

function hasBreakGlass(data) {
  return isText(data.break_glass) && isText(data.break_glass_digest);
}

// One request with what its steps have set so far.
class RequestSteps {
  constructor() {
    this.state = "";
    this.time = null;
    this.submitted = null;
    this.isBreakGlass = false;
    this.required = 1;
    this.approvers = [];
    this.durations = [];
    this.supporter = null;
    this.vendorApprover = null;
    this.isSupported = false;
    this.isBreakGlassApproved = false;
    this.accessUntil = null;
  }

  isDecided() {
    return this.isBreakGlass ? this.isSupported && this.isBreakGlassApproved : this.approvers.length >= this.required;
  }
}

// Applies the rules to one step. `say` reports a broken rule.
function takeStep(request, entry, say) {
  const { type, data } = entry;
  const from = data.from ?? "";
  const to = data.to;
  if (from !== request.state) say(`the step starts from ${from || "nothing"}, and the request is ${request.state || "new"}`);
  const moves = TRANSITIONS[type];
  if (!moves && (from !== to || request.state === "")) say(`${type} does not lead from ${from || "nothing"} to ${to}`);
  if (moves && !moves.some((move) => move[0] === from && move[1] === to)) say(`${type} does not lead from ${from || "nothing"} to ${to}`);
  const wasDecided = request.isDecided() && ["pending_vendor", "pending_customer"].includes(request.state);
  if (wasDecided && type !== "grant.activated") say("access is not activated in the step after the last approval");
  if (type === "request.submitted") submit(request, entry, say);
  else compareWithSubmission(request, entry, say);
  if (request.time !== null && entry.time < request.time - SECOND) say("the step is earlier than the previous step");
  if (Object.hasOwn(STEPS, type)) STEPS[type](request, entry, say);
  request.time = entry.time;
  request.state = isText(to) ? to : request.state;
}

function compareWithSubmission(request, entry, say) {
  const first = request.submitted?.data;
  if (!first) return;
  if (entry.data.digest !== first.digest) say("the step is about another content than the submission");
  for (const name of ["break_glass", "break_glass_digest"]) {
    if ((entry.data[name] ?? null) !== (first[name] ?? null)) say("the step names another break-glass policy than the submission");
  }
}

function submit(request, entry, say) {
  const { data } = entry;
  const person = personOf(entry);
  request.submitted = entry;
  request.requester = person?.id ?? null;
  request.isBreakGlass = hasBreakGlass(data);
  request.required = isCount(data.required_approvals, 1) ? data.required_approvals : 1;
  request.duration = data.duration_seconds;
  request.reviewDeadline = timeOf(data.review_deadline);
  request.startTime = timeOf(data.start_time);
  if (person?.side !== "vendor") say("only a person of the vendor submits a request");
  if (request.reviewDeadline === null || request.reviewDeadline < entry.time) say("the review deadline is missing or before the submission");
  if (!isCount(data.duration_seconds)) say("the requested duration is missing");
  if (data.start_time !== undefined && request.startTime === null) say("the start time is not a time");
}

function mustBe(side, request, entry, say) {
  const person = personOf(entry);
  if (person?.side !== side) say(`this step is for a person of the ${side}`);
  else if (person.id === request.requester) say("the requester decides about their own request");
  return person?.id ?? null;
}

function mustBeBefore(deadline, entry, say) {
  if (deadline === undefined || deadline === null || entry.time >= deadline) say("the step is after the deadline, or there is no deadline");
}

function vendorDecision(request, entry, say) {
  const person = mustBe("vendor", request, entry, say);
  if (person !== null && person === request.supporter) say("the same person decides twice for the vendor");
  mustBeBefore(request.reviewDeadline, entry, say);
  return person;
}

function customerDecision(request, entry, say) {
  const person = mustBe("customer", request, entry, say);
  if (person !== null && person === request.vendorApprover) say("the same person decides for the vendor and for the customer");
  if (person !== null && request.approvers.includes(person)) say("the same person decides twice for the customer");
  mustBeBefore(request.decisionDeadline, entry, say);
  return person;
}

const STEPS = {
  "request.vendor_approved"(request, entry, say) {
    request.vendorApprover = vendorDecision(request, entry, say);
    if (request.isBreakGlass) say("a break-glass request has no vendor approval");
    request.decisionDeadline = timeOf(entry.data.decision_deadline);
    if (request.decisionDeadline === null) say("the decision deadline is missing");
  },

  "request.vendor_denied": vendorDecision,

  "request.break_glass_supported"(request, entry, say) {
    if (!request.isBreakGlass || request.isSupported) say("the support for break-glass access is not expected here");
    request.supporter = vendorDecision(request, entry, say);
    request.isSupported = true;
  },

  "request.break_glass_approved"(request, entry, say) {
    if (!request.isBreakGlass || !request.isSupported) say("the approval of break-glass access is not expected here");
    vendorDecision(request, entry, say);
    request.isBreakGlassApproved = true;
  },

  "request.customer_approved"(request, entry, say) {
    const person = customerDecision(request, entry, say);
    const duration = entry.data.duration_seconds;
    if (!isCount(duration, 1) || duration > request.duration) say("the approved duration is not between 1 and the requested duration");
    request.approvers.push(person);
    request.durations.push(duration);
    if (entry.data.approvals !== request.approvers.length) say("the number of approvals is wrong");
  },

  "request.customer_denied": customerDecision,

  "grant.activated"(request, entry, say) {
    if (!request.isDecided()) say("access is activated without the necessary approvals");
    if (request.state === "pending_vendor" && !request.isBreakGlass) say("access is activated without a customer approval");
    mustBeBefore(request.isBreakGlass ? request.reviewDeadline : request.decisionDeadline, entry, say);
    const from = request.isBreakGlass ? entry.time : Math.max(entry.time, request.startTime ?? 0);
    const shortest = request.isBreakGlass ? Math.min(request.duration, BREAK_GLASS_CEILING) : Math.min(...request.durations);
    if (timeOf(entry.data.access_from) !== from) say("access does not start at the time that the approvals give");
    if (timeOf(entry.data.access_until) !== from + shortest * SECOND) say("access does not end after the shortest approved duration");
    request.accessFrom = timeOf(entry.data.access_from);
    request.accessUntil = timeOf(entry.data.access_until);
    request.activated = entry;
  },

  "grant.ended"(request, entry, say) {
    request.ended = entry;
    if (timeOf(entry.data.access_until) !== request.accessUntil) say("the end names another end of access than the grant");
    const person = personOf(entry);
    const isPerson = at(entry.data.actor, "kind") === "person";
    const good = {
      expired: () => entry.time >= request.accessUntil,
      revoked_by_customer: () => person?.side === "customer",
      revoked_by_vendor: () => person?.side === "vendor" && person.id !== request.requester,
      released: () => person !== null && person.id === request.requester,
      ticket_closed: () => !isPerson,
      requester_disabled: () => !isPerson,
    };
    const { cause } = entry.data;
    if (!isText(cause) || !Object.hasOwn(good, cause) || !good[cause]()) say(`access cannot end like this: ${cause}`);
  },

  "request.expired"(request, entry, say) {
    const isVendor = request.state === "pending_vendor";
    const deadline = isVendor ? request.reviewDeadline : request.decisionDeadline;
    if (entry.data.stage !== (isVendor ? "vendor" : "customer")) say("the request expired in another stage");
    const named = timeOf(entry.data.deadline);
    if (named === null || named !== deadline || entry.time < named) say("the request expired before its deadline, or names another one");
  },

  "request.withdrawn"(request, entry, say) {
    const person = personOf(entry);
    const { cause } = entry.data;
    const isPerson = at(entry.data.actor, "kind") === "person";
    const byRequester = cause === "requester" && person !== null && person.id === request.requester;
    const bySystem = (cause === "ticket_closed" || cause === "requester_disabled") && !isPerson;
    if (!byRequester && !bySystem) say(`a request cannot be withdrawn like this: ${cause}`);
  },

  "request.reminded"(request, entry, say) {
    if (timeOf(entry.data.decision_deadline) !== request.decisionDeadline) say("a reminder changes the decision deadline");
  },

  "report.acknowledged"(request, entry, say) {
    mustBe("customer", request, entry, say);
  },

  "report.disputed"(request, entry, say) {
    mustBe("customer", request, entry, say);
  },
};

// Follows every request of a log.
class Lifecycle {
  constructor(streams, findings) {
    this.streams = streams;
    this.findings = findings;
    this.requests = new Map();
  }

  add(entry) {
    const isStep = entry.request !== null && entry.event.subjectversion !== undefined;
    const say = (what) => this.findings.add(16, `A rule is broken: ${what}.`, entry);
    if (!isStep) {
      if (Object.hasOwn(TRANSITIONS, entry.type)) say(`${entry.type} is not a step of a request`);
      return;
    }
    if (!this.streams.isComplete(entry.request)) return;
    if (!this.requests.has(entry.request)) this.requests.set(entry.request, new RequestSteps());
    takeStep(this.requests.get(entry.request), entry, say);
  }
}
