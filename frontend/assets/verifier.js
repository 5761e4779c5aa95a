// Runs the verifier beside the page, which goes on answering meanwhile.
import start, { verify } from "./{script}";

const started = start({ module_or_path: new URL("./{program}", import.meta.url) });

const fetcher = new Worker(new URL("./{fetcher}", import.meta.url));
const asked = [];
let isGone = false;
fetcher.onmessage = ({ data }) => {
  asked[data.number](data);
  delete asked[data.number];
};
fetcher.onerror = () => {
  isGone = true;
  asked.forEach((answer) => answer({ status: 0 }));
};

const get = (url) =>
  new Promise((answer) => {
    if (isGone) answer({ status: 0 });
    else fetcher.postMessage({ number: asked.push(answer) - 1, url });
  });

onmessage = async ({ data }) => {
  try {
    await started;
    await verify(data, (said) => postMessage(said), get);
  } catch (error) {
    postMessage(JSON.stringify({ said: "failed", status: 0, request_id: "", detail: `The verifier stopped: ${error}.` }));
  }
};
