-- The health of a LindormImport for Argo CD, which would otherwise show any custom resource as healthy.
--
--   Healthy      it is complete: every row is in the table, or rejected and counted; and nothing of it costs money
--   Degraded     it has failed, or its spec cannot work
--   Suspended    spec.suspend holds it
--   Progressing  everything else: also while something outside does not work, since it continues by itself; and when it
--                is complete, until its job's pods are gone and its table has its final settings
--
-- A status that an older spec left behind says nothing of the present one.

local function condition(type)
  for _, found in ipairs(obj.status.conditions or {}) do
    if found.type == type then
      return found
    end
  end
end

local function is_true(found)
  return found ~= nil and found.status == "True"
end

local hs = {status = "Progressing", message = "waiting for the controller"}

if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "being deleted: its job is ended and what is temporary is removed"
  return hs
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local failed, stalled, released = condition("Failed"), condition("Stalled"), condition("Released")
local costs = released ~= nil and released.status == "False"
if is_true(failed) then
  return {status = "Degraded", message = failed.message .. (costs and "; " .. released.message or "")}
end
if is_true(stalled) then
  return {status = "Degraded", message = stalled.message}
end

local complete, suspended = condition("Complete"), condition("Suspended")
if is_true(complete) and costs then
  return {status = "Progressing", message = released.message}
end
if is_true(complete) then
  return {status = "Healthy", message = complete.message}
end
if is_true(suspended) then
  return {status = "Suspended", message = suspended.message}
end

local ready = condition("Ready")
if ready ~= nil then
  hs.message = ready.message
end
return hs
