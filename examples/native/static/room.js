// What the page of every room needs: the connection, the part of the page that tells of it, and names for
// people who have given none.

import { RoomSocket } from "./stateroom-client.js";

/**
 * Opens the room that the address names, after # or as ?room=, and has `hear` take each message. What is sent
 * while the connection is lost is heard when it is back, and nothing that the room says is missed.
 *
 * `begin` is called when the room is about to greet this page as a newcomer: at first, and when the page was
 * away for too long. It gets the messages that the room has not heard, and answers what to send first.
 */
export function openRoom(hear, begin = (unheard) => unheard) {
  const name = new URLSearchParams(location.hash ? "room=" + location.hash.slice(1) : location.search).get("room") || "default";
  // The token makes this tab the same client again when the page is loaded again.
  const newToken = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.token ??= newToken();
  const state = document.querySelector("#state");
  let room, unheard = [], wasLive = false, isOver = false;

  function join() {
    let isAgain = false;
    room = new RoomSocket(`/ws/${encodeURIComponent(name)}`, { params: { token: sessionStorage.token } });
    room.binaryType = "arraybuffer";
    room.onmessage = ({ data }) => hear(data);
    room.onstatuschange = () => tell();
    // Something was missed. Whoever comes anew is told everything.
    room.onresume = ({ recovered }) => recovered || joinAgain();
    room.onunsettled = ({ messages }) => {
      unheard.unshift(...messages);
      if (room.readyState === RoomSocket.OPEN) joinAgain();
    };
    room.onclose = ({ code, reason }) => {
      if (code === 4300) sessionStorage.token = newToken(); // A copy of this tab has taken our place.
      else isOver = !isAgain || code > 4300;
      if (isOver) tell(reason);
      else join();
    };
    begin(unheard.splice(0)).forEach(send);

    function joinAgain() {
      isAgain = true;
      room.onmessage = null;
      room.close();
    }
  }

  /** Tells whether the message is taken: it isn't while too much waits to be sent. */
  function send(message) {
    if (isOver) return false;
    if (room.readyState > RoomSocket.OPEN) return unheard.push(message) > 0;
    try {
      room.send(message);
      return true;
    } catch (error) {
      console.warn(error);
      return false;
    }
  }

  function tell(reason = "") {
    const isLive = room.status === "live", isAway = wasLive && !isLive && !isOver;
    if (isOver || !wasLive) for (const button of document.querySelectorAll("main button")) button.disabled = !isLive;
    wasLive ||= isLive;
    for (const [name, holds] of Object.entries({ live: isLive, away: isAway, over: isOver })) document.body.classList.toggle(name, holds);
    state.textContent = isOver ? "Closed" : isLive ? "Live" : isAway ? "Away" : "Connecting…";
    state.title = isAway ? "What you do is sent when the connection is back" : reason;
  }

  const shown = document.querySelector(".room");
  shown.textContent = shown.title = "# " + name;
  addEventListener("hashchange", () => location.reload());
  // What waits is lost with the page: ask before.
  addEventListener("beforeunload", (event) => document.body.matches(".away") && room.unsettledAmount && event.preventDefault());
  document.querySelector("#second").onclick = () => open(location, "", "noopener,popup,width=720,height=640");
  const copy = document.querySelector("#copy"), label = copy.textContent;
  copy.onclick = async () => {
    // Only pages from https or localhost may write to the clipboard.
    if (!navigator.clipboard) return prompt("The link to this room", location);
    await navigator.clipboard.writeText(location);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = label), 1500);
  };

  join();
  tell();
  return { send, isLive: () => room.status === "live" };
}

const animals = "Otter Heron Lynx Panda Robin Gecko Moose Koala Finch Tapir Bison Crane Hare Ibis Seal Wren Newt Puma Stork Yak Raven Okapi Mole Swan".split(" ");

/** A name for a client who has given none, which no other client of the room has. */
export function nameOf(client) {
  const round = Math.floor(client / animals.length);
  return animals[client % animals.length] + (round ? ` ${round + 1}` : "");
}

/** A colour for a client, far from those of the clients before and after; it can be read on the page. */
export function colourOf(client) {
  const hue = (client * 137.5) % 360;
  return `light-dark(oklch(0.5 0.16 ${hue}), oklch(0.76 0.13 ${hue}))`;
}
