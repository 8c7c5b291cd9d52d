//! Rooms by hand with axum, as its own chat example makes them: a broadcast channel for each room,
//! and for each client a task that reads and a task that writes.

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::get,
    serve::ListenerExt as _,
};
use futures_util::{SinkExt, StreamExt};
use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex},
};
use tokio::{
    net::TcpListener,
    sync::broadcast::{self, error::RecvError},
};

/// How many messages a client may lag behind; past that it misses some, as the load generator sees.
const CAPACITY: usize = 4096;

#[derive(Clone)]
struct App {
    echo: bool,
    rooms: Arc<Mutex<HashMap<String, broadcast::Sender<Message>>>>,
}

#[tokio::main]
async fn main() {
    let echo = env::var("MODE").is_ok_and(|mode| mode == "echo");
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080_u16);
    let app = App { echo, rooms: Arc::default() };
    let router = Router::new().route("/ws/{room}", get(join)).with_state(app);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    // Without this, answers wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.expect("the server runs");
}

async fn join(
    upgrade: WebSocketUpgrade,
    Path(room): Path<String>,
    State(app): State<App>,
) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        if app.echo { echo(socket).await } else { broadcast(socket, room, app).await }
    })
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            break;
        }
    }
}

async fn broadcast(socket: WebSocket, room: String, app: App) {
    let sender = {
        let mut rooms = app.rooms.lock().expect("no panic while it is held");
        rooms.entry(room).or_insert_with(|| broadcast::channel(CAPACITY).0).clone()
    };
    let mut receiver = sender.subscribe();
    let (mut sink, mut stream) = socket.split();
    let writer = tokio::spawn(async move {
        loop {
            let message = match receiver.recv().await {
                Ok(message) => message,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => break,
            };
            if sink.send(message).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            let _ = sender.send(message);
        }
    }
    writer.abort();
}
