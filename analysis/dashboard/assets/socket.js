/* The socket: what is asked goes out, what is answered goes to `answers.js`. */
"use strict";

(function (walras) {
  const SETTLE = 40;  // ms between two questions while a control moves
  const RETRY = [500, 1000, 2000, 4000];
  let socket = null, tries = 0, timer = null;

  function send(message) {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function ask() {
    walras.state.write();
    if (timer) return;
    timer = setTimeout(() => { timer = null; send({ask: walras.state.question()}); }, SETTLE);
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/socket`);
    socket.onopen = opened;
    socket.onmessage = (event) => {
      for (const [kind, told] of Object.entries(JSON.parse(event.data))) {
        if (walras.answers[kind]) walras.answers[kind](told);
      }
    };
    socket.onclose = () => {
      walras.board.running(false);
      walras.messages.say(
        "The dashboard does not answer; is it still running? Trying again …", true);
      setTimeout(connect, RETRY[Math.min(tries++, RETRY.length - 1)]);
    };
  }

  /* A server that has just been found knows nothing of this page. */
  function opened() {
    const {state} = walras;
    tries = 0;
    state.seen.controls = "";
    walras.messages.say("");
    send({ask: state.question()});
    send({pace: Number(walras.nodes.at("pace").value)});
    if (state.pin) send({pin: state.pinned()});
    if (state.wanted) send({run: "play"});
  }

  walras.socket = {send, ask, connect};
})(window.walras ??= {});
