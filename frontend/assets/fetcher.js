// Fetches for the verifier, which is too busy to take in what arrives.
onmessage = async ({ data: { number, url } }) => {
  const answer = { number, status: 0, retryAfter: null, body: new ArrayBuffer(0) };
  try {
    // What the browser kept would prove nothing about what the server has now.
    const response = await fetch(url, { cache: "no-store" });
    answer.body = await response.arrayBuffer();
    answer.retryAfter = response.headers.get("Retry-After");
    answer.status = response.status;
  } catch {
    // No answer, or half of one.
  }
  postMessage(answer, [answer.body]);
};
