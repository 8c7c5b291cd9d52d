//! The chat example in a terminal. `cargo demo chat`, and beside it `cargo run -p terminal -- Ada`; then kill the server,
//! write on, and start it again.

mod chat;
mod screen;
mod words;

use anyhow::Context as _;
use chat::Chat;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read},
};
use stateroom_client::{Options, RoomClient, TypedClient};
use tokio::sync::mpsc::{Receiver, channel};
use words::{FromRoom, ToRoom};

const ADDRESS: &str = "ws://localhost:8080/ws/default";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "say who you are: cargo run -p terminal -- NAME [ws://HOST/ws/ROOM]";
    let name = arguments.next().or_else(|| std::env::var("USER").ok()).context(usage)?;
    let address = arguments.next().unwrap_or_else(|| ADDRESS.to_owned());
    let room = RoomClient::connect(&address, Options::default())?.typed();
    let terminal = ratatui::try_init().context("this is no terminal")?;
    let outcome = run(terminal, room, Chat::new(name)).await;
    ratatui::restore();
    if let Some(why) = outcome? {
        println!("{why}");
    }
    Ok(())
}

/// Goes on until somebody wants to leave, or has to: then it tells why.
async fn run(
    mut terminal: DefaultTerminal,
    mut room: TypedClient<FromRoom, ToRoom>,
    mut chat: Chat,
) -> anyhow::Result<Option<String>> {
    let mut keys = keys();
    let first = vec![chat.join()];
    say(&room, &mut chat, first);
    loop {
        terminal.draw(|frame| screen::draw(frame, &chat))?;
        tokio::select! {
            event = room.next_event() => {
                let Some(event) = event else { return Ok(chat.over) };
                let answers = chat.hear(event);
                say(&room, &mut chat, answers);
            }
            key = keys.recv() => match key.context("the terminal is gone")? {
                KeyEvent { code: KeyCode::Esc, .. } => break,
                KeyEvent { code: KeyCode::Char('c'), modifiers: KeyModifiers::CONTROL, .. } => break,
                KeyEvent { code: KeyCode::Enter, .. } => {
                    let said = chat.say();
                    say(&room, &mut chat, said);
                }
                KeyEvent { code: KeyCode::Backspace, .. } => {
                    chat.draft.pop();
                }
                KeyEvent { code: KeyCode::Char(letter), .. } => chat.draft.push(letter),
                _ => {}
            },
        }
    }
    // What was said is to be durable, if that is soon.
    room.close();
    while room.next_event().await.is_some() {}
    Ok(None)
}

fn say(room: &TypedClient<FromRoom, ToRoom>, chat: &mut Chat, messages: Vec<ToRoom>) {
    for message in messages {
        if let Err(error) = room.say(&message) {
            chat.note(format!("not sent: {error}"));
        }
    }
}

/// What is typed. Changes of the size come as a key that means nothing, so that all is drawn again.
fn keys() -> Receiver<KeyEvent> {
    let (sender, keys) = channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = read() {
            let key = match event {
                Event::Key(key) if key.kind == KeyEventKind::Release => continue,
                Event::Key(key) => key,
                Event::Resize(..) => KeyEvent::from(KeyCode::Null),
                _ => continue,
            };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    keys
}
