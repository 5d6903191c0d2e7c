-- Login program of Dovecot 2.4 (`passdb lua` in dovecot-2.4.conf). It passes name and password to `lockbox dovecot-auth`, which uses the
-- checkpassword interface (https://cr.yp.to/checkpwd/interface.html), and translates the result into settings of 2.4.
local command

function script_init(settings)
  command = settings["command"]
  return 0
end

function auth_password_verify(request, password)
  local source = tostring(request.remote_ip or "")
  -- The address is part of a shell command, so it may contain only address characters.
  if source:find("[^%x:.]") or password:find("%z") then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  local answer = os.tmpname()
  local login = io.popen(command .. " --source '" .. source .. "' 3<&0 4>'" .. answer .. "'", "w")
  login:write(request.user, "\0", password, "\0\0")
  local is_good = login:close()
  local file = io.open(answer)
  local result = file and file:read("a") or ""
  if file then
    file:close()
  end
  os.remove(answer)
  local fields = {}
  for name, value in result:gmatch("([^\t=]+)=([^\t]*)") do
    fields[name] = value
  end
  if not is_good or not fields["userdb_home"] then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  local found = {
    user = fields["user"],
    userdb_home = fields["userdb_home"],
    userdb_mail_path = fields["userdb_home"],
    userdb_lockbox_until = fields["userdb_lockbox_until"],
  }
  if fields["userdb_lockbox_reads"] == "yes" then
    found["userdb_lockbox_reads"] = "yes"
    found["userdb_namespace/inbox/subscriptions"] = "no"
  else
    -- The configuration grants read access; this login also has write access.
    found["userdb_lockbox_rights"] = "lrwstipekxa"
    found["userdb_namespace/inbox/mailbox/*/acl/owner/rights"] = "lrwstipekxa"
  end
  return dovecot.auth.PASSDB_RESULT_OK, found
end
