// Starts the application. A file of its own, because the page's policy forbids scripts in the page itself.
import start from "./{script}";

// Where the application finds the script of its verifier.
document.documentElement.dataset.verifier = new URL("./{verifier}", import.meta.url);

const note = document.getElementById("starting");
try {
  await start({ module_or_path: new URL("./{program}", import.meta.url) });
} catch (error) {
  console.error(error);
  note.textContent =
    "The dashboard could not start. Reload the page; if that does not help, this browser may be too old for it.";
}
