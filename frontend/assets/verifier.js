// Runs the verifier beside the page, which goes on answering meanwhile.
import start, { verify } from "./{script}";

const started = start({ module_or_path: new URL("./{program}", import.meta.url) });

onmessage = async ({ data }) => {
  try {
    await started;
    await verify(data, (said) => postMessage(said));
  } catch (error) {
    postMessage(JSON.stringify({ said: "failed", status: 0, request_id: "", detail: `The verifier stopped: ${error}.` }));
  }
};
