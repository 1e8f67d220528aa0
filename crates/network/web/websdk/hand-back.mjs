// In a window or a frame that the SDK opened: tells the page behind it, of the one origin that may know, to look at its request; and
// closes the window once there is nothing more to do in it. The page reads the rest from the network end itself.

const { origin, paymentRequestId, state } = /** @type {HTMLElement} */ (document.getElementById("hand-back")).dataset;
const page = window.opener ?? (window.parent === window ? null : window.parent);
if (page && origin) {
  page.postMessage({ type: "websdk:journey", paymentRequestId, state }, origin);
  if (window.opener && state !== "asking") window.close();
}
