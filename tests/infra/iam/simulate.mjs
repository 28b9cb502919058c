// Reads {account, principal, policies: [{name, policy}], keyPolicy, requests: [{action, resource, context}]} from stdin and prints, for each request,
// what IAM would say: {result, resourceType, ignored} or {error}. ignored: context keys that the action does not know.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(`${process.argv[2]}/`)
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')))

let input = ''
for await (const chunk of process.stdin) input += chunk
const { account, principal, policies, keyPolicy, requests } = JSON.parse(input)

const answers = []
for (const { action, resource, context } of requests) {
  const answer = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: policies,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: action.startsWith('kms:') ? keyPolicy : undefined,
    },
    {},
  )
  if (answer.resultType === 'error') answers.push({ error: JSON.stringify(answer.errors) })
  else {
    const results = answer.resultType === 'single' ? [answer.result] : answer.results
    answers.push({ result: answer.overallResult, ignored: results.flatMap((r) => r.ignoredContextKeys ?? []) })
  }
}
console.log(JSON.stringify(answers))
