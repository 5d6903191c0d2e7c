// Rules 8 to 10 of section 11: content, use of access, and times. They apply to every log.

const TOLERANCE = 3600 * SECOND;
const LATE = 60 * SECOND;
const SAME_MEMBERS = ["service_request", "service", "resource", "category", "severity", "duration_seconds", "extends", "justification"];

// Why the content of a submission is not what the event says, or null (rule 8).
function contentFault(entry) {
  const { data, event } = entry;
  const { content } = data;
  if (!isObject(content)) return "has no content";
  if (digestOf(content) === null || data.digest !== digestOf(content)) return "has a digest that is not that of its content";
  const differs = SAME_MEMBERS.find((name) => !sameJson(data[name], content[name]));
  if (differs) return `has another ${differs.replaceAll("_", " ")} than its content`;
  const start = data.start_time ?? null;
  if (start === null ? (content.start_time ?? null) !== null : timeOf(start) === null || timeOf(start) !== timeOf(content.start_time)) {
    return "has another start time than its content";
  }
  const isSame = content.request === event.correlationid && content.requester_name === data.requester
    && content.requester === at(data.actor, "id") && content.tenant_name === event.tenant
    && isCount(data.required_approvals) && at(content.rules, "required_approvals") === data.required_approvals;
  if (!isSame) return "has another request, requester, tenant or number of approvals than its content";
  const policy = content.break_glass ?? null;
  const named = data.break_glass ?? null;
  const agrees = named === null ? policy === null && (data.break_glass_digest ?? null) === null : at(policy, "name") === named && at(policy, "digest") === data.break_glass_digest;
  return agrees ? null : "has another break-glass policy than its content";
}

// Why an allowed use is not inside the grant, or null (rule 9).
function useFault(entry, grant) {
  const { data } = entry;
  if (entry.request === null || data.request !== entry.request) return "does not name its request";
  if (!grant) return null;
  const [first, last] = [timeOf(data.first_at), timeOf(data.last_at)];
  const [from, until] = [timeOf(grant.activated.data.access_from), timeOf(grant.activated.data.access_until)];
  if ([first, last, from, until].includes(null) || first < from || first > last || last >= until) return "is outside the time of the grant";
  if (grant.ended && last > grant.ended.time + LATE) return "is after the end of access";
  if (grant.content !== null && !coversResource(at(grant.content, "resource"), data.resource)) return "is of another resource than the granted one";
  return null;
}

function provisionedFault(entry, grant) {
  const until = timeOf(grant.activated.data.access_until);
  if (entry.time < grant.activated.time - SECOND) return "is before access was activated";
  return until === null || entry.time > until + LATE ? "is after the end of access" : null;
}

// The grants of a log by request, with the content of the request when the bundle contains it.
function grantsOf(entries, contents) {
  const grants = new Map();
  for (const entry of entries) {
    if (entry.type === "grant.activated" && !grants.has(entry.request)) {
      grants.set(entry.request, { activated: entry, ended: null, content: contents(entry.request), uses: [] });
    }
  }
  for (const entry of entries) {
    const grant = grants.get(entry.request);
    if (entry.type === "grant.ended" && grant) grant.ended ??= entry;
    if (entry.type === "grant.used" && entry.data.allowed === true && grant) grant.uses.push(entry);
  }
  return grants;
}

// Applies rules 8 and 9. `isWhole` says whether the stream of a request is in the bundle from its start.
function checkUsage(entries, grants, isWhole, findings) {
  for (const entry of entries) {
    const say = (what) => findings.add(16, what, entry);
    if (entry.type === "request.submitted") {
      const fault = contentFault(entry);
      if (fault) say(`The submission ${fault}.`);
    }
    const isUse = entry.type === "grant.used" && entry.data.allowed === true;
    if (!isUse && entry.type !== "grant.provisioned") continue;
    const what = isUse ? "use of access" : "provisioning";
    const grant = grants.get(entry.request);
    const fault = isUse ? useFault(entry, grant) : grant ? provisionedFault(entry, grant) : null;
    if (fault) say(`A ${what} ${fault}.`);
    else if (!grant && isWhole(entry.request)) say(`A ${what} belongs to no grant.`);
  }
}

// The earliest time, for each index, at which a witness had seen a checkpoint that covers it: `[[size, time], …]` by size.
function seenTimes(cosigned) {
  const times = cosigned.map(({ size, time }) => [size, time * SECOND]).sort((one, other) => other[0] - one[0]);
  let earliest = Infinity;
  for (const pair of times) {
    earliest = Math.min(earliest, pair[1]);
    pair[1] = earliest;
  }
  return times.reverse();
}

// Applies rule 10.
function checkTimes(entries, cosigned, findings) {
  const seen = seenTimes(cosigned);
  let place = 0;
  let heartbeat = -Infinity;
  for (const entry of entries) {
    if (entry.time < heartbeat - TOLERANCE) findings.add(16, "The event names a time that is long before the heartbeat before it.", entry);
    while (place < seen.length && seen[place][0] <= entry.index) place += 1;
    if (place < seen.length && entry.time > seen[place][1] + TOLERANCE) {
      findings.add(16, "The event names a time that is long after a witness had seen it.", entry);
    }
    if (entry.type === "log.heartbeat") heartbeat = entry.time;
  }
}
