// What the page of every room needs: the connection, which is opened again whenever it is lost, the part of
// the page that tells of it, and names for people who have given none.

/**
 * Opens the room that the address names, after # or as ?room=, and has `hear` take each message. The
 * answer's `send` tells whether the message could be sent: it can't while the connection is lost.
 */
function openRoom(hear) {
  const name = new URLSearchParams(location.hash ? "room=" + location.hash.slice(1) : location.search).get("room") || "default";
  // The token makes this tab the same client again after a reload or a reconnection.
  const newToken = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.token ??= newToken();
  let socket, openedAt, failures = 0;

  function connect() {
    socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws/${encodeURIComponent(name)}?token=${sessionStorage.token}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      openedAt = performance.now();
      tell("Live");
    };
    socket.onmessage = ({ data }) => hear(data);
    socket.onclose = ({ code }) => {
      tell("Reconnecting…");
      if (code === 1008) sessionStorage.token = newToken(); // A copy of this tab has taken our place.
      // Sooner after a connection that lasted; later and later while there is none.
      failures = performance.now() - openedAt > 5000 ? 0 : failures + 1;
      openedAt = undefined;
      setTimeout(connect, Math.min(125 * 2 ** failures, 8000) * (0.5 + Math.random() / 2));
    };
  }

  function tell(state) {
    document.body.classList.toggle("live", state === "Live");
    document.querySelector("#state").textContent = state;
    for (const button of document.querySelectorAll("main button")) button.disabled = state !== "Live";
  }

  const shown = document.querySelector(".room");
  shown.textContent = shown.title = "# " + name;
  addEventListener("hashchange", () => location.reload());
  document.querySelector("#second").onclick = () => open(location, "", "noopener,popup,width=720,height=640");
  const copy = document.querySelector("#copy"), label = copy.textContent;
  copy.onclick = async () => {
    // Only pages from https or localhost may write to the clipboard.
    if (!navigator.clipboard) return prompt("The link to this room", location);
    await navigator.clipboard.writeText(location);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = label), 1500);
  };

  tell("Connecting…");
  connect();
  return { send: (message) => socket.readyState === WebSocket.OPEN && (socket.send(message), true) };
}

const animals = "Otter Heron Lynx Panda Robin Gecko Moose Koala Finch Tapir Bison Crane Hare Ibis Seal Wren Newt Puma Stork Yak Raven Okapi Mole Swan".split(" ");

/** A name for a client who has given none, which no other client of the room has. */
function nameOf(client) {
  const round = Math.floor(client / animals.length);
  return animals[client % animals.length] + (round ? ` ${round + 1}` : "");
}

/** A colour for a client, far from those of the clients before and after; it can be read on the page. */
function colourOf(client) {
  const hue = (client * 137.5) % 360;
  return `light-dark(oklch(0.5 0.16 ${hue}), oklch(0.76 0.13 ${hue}))`;
}
