//! A whiteboard: everyone draws on it, and sees where the others point.
//!
//! Frames are binary. Clients send a kind and a body; the room puts the sender's id between the
//! two, and sends the frame on to everyone.
//!
//! | kind (`u8`) | sender (`u32`) | body                | means                                      |
//! |-------------|----------------|---------------------|--------------------------------------------|
//! | 0 `HOVER`   | ✓              | 1 point             | the pointer has moved here, the pen lifted |
//! | 1 `BEGIN`   | ✓              | a colour (`u8`), points | a new stroke has begun                 |
//! | 2 `EXTEND`  | ✓              | a colour (`u8`), points | the sender's last stroke has gone on   |
//! | 3 `UNDO`    | ✓              |                     | the sender's last stroke is gone           |
//! | 4 `CLEAR`   | ✓              |                     | the board has been wiped                   |
//! | 5 `LEFT`    | ✓              |                     | from the room only: somebody has gone      |
//! | 6 `WELCOME` | ✓              | frames after their length (`u32`) | from the room only: who you are, and all that you have missed |
//!
//! A point is `x` and `y` (`u16` each): 0 is the left or the top edge, 65,535 the right or the
//! bottom. What a colour's number means is for the pages to know. Numbers are little-endian.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const HOVER: u8 = 0;
const BEGIN: u8 = 1;
const EXTEND: u8 = 2;
const UNDO: u8 = 3;
const CLEAR: u8 = 4;
const LEFT: u8 = 5;
const WELCOME: u8 = 6;

/// The most points of one stroke. A pen that goes on has to begin another.
const MAX_STROKE: usize = 8 * 1024;
/// Past so many points, the oldest strokes fade away.
const MAX_DRAWING: usize = 64 * 1024;

/// From the left and from the top.
type Point = [u16; 2];

/// The room. New code takes it over: give a field that you add a `#[serde(default)]`.
#[stateroom_wasm(carry_over)]
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Whiteboard {
    /// The drawing, oldest first.
    strokes: VecDeque<Stroke>,
    /// Where each client's pointer is.
    pointers: BTreeMap<ClientId, Point>,
}

/// A line that somebody has drawn.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stroke {
    client: ClientId,
    colour: u8,
    points: Vec<Point>,
}

impl SimpleStateroomService for Whiteboard {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Whiteboard::default()
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_binary(client, &frame(WELCOME, client, &self.all()));
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.pointers.remove(&client);
        context.send_binary(MessageRecipient::Broadcast, &frame(LEFT, client, &[]));
    }

    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        if self.hear(client, message).is_some()
            && let Some((&kind, body)) = message.split_first()
        {
            context.send_binary(MessageRecipient::Broadcast, &frame(kind, client, body));
        }
    }
}

impl Whiteboard {
    /// Takes in what `client` sent; `None` if it is nonsense, or changes nothing.
    fn hear(&mut self, client: ClientId, message: &[u8]) -> Option<()> {
        let last = self.strokes.iter().rposition(|stroke| stroke.client == client);
        match *message {
            [HOVER, ref point @ ..] => {
                let [point] = points(point)?[..] else { return None };
                self.pointers.insert(client, point);
            }
            [kind @ (BEGIN | EXTEND), colour, ref new @ ..] => {
                let new = points(new)?;
                self.pointers.insert(client, *new.last()?);
                match last.and_then(|last| self.strokes.get_mut(last)) {
                    Some(stroke) if kind == EXTEND => {
                        if stroke.points.len() + new.len() > MAX_STROKE {
                            return None;
                        }
                        stroke.points.extend(new);
                    }
                    _ => self.strokes.push_back(Stroke { client, colour, points: new }),
                }
                self.fade();
            }
            [UNDO] => {
                self.strokes.remove(last?)?;
            }
            [CLEAR] => self.strokes.clear(),
            _ => return None,
        }
        Some(())
    }

    /// Keeps the drawing within its bound, but for the newest stroke.
    fn fade(&mut self) {
        let mut points: usize = self.strokes.iter().map(|stroke| stroke.points.len()).sum();
        while points > MAX_DRAWING && self.strokes.len() > 1 {
            points -= self.strokes.pop_front().map_or(0, |stroke| stroke.points.len());
        }
    }

    /// All that somebody who comes has missed: frames, each after its length.
    fn all(&self) -> Vec<u8> {
        let strokes = self.strokes.iter().map(|Stroke { client, colour, points }| {
            frame(BEGIN, *client, &[&[*colour][..], &bytes(points)].concat())
        });
        let pointers =
            self.pointers.iter().map(|(client, point)| frame(HOVER, *client, &bytes(&[*point])));
        let with_length =
            |frame: Vec<u8>| [&(frame.len() as u32).to_le_bytes()[..], &frame].concat();
        strokes.chain(pointers).flat_map(with_length).collect()
    }
}

/// The points that a body has, unless it is something else or too much for one stroke.
fn points(body: &[u8]) -> Option<Vec<Point>> {
    let (points, rest) = body.as_chunks();
    let point = |&[x, y, u, v]: &[u8; 4]| [u16::from_le_bytes([x, y]), u16::from_le_bytes([u, v])];
    (rest.is_empty() && points.len() <= MAX_STROKE).then(|| points.iter().map(point).collect())
}

fn bytes(points: &[Point]) -> Vec<u8> {
    points.iter().flatten().flat_map(|number| number.to_le_bytes()).collect()
}

fn frame(kind: u8, client: ClientId, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &client.0.to_le_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom_wasm::{MessageRecipient::Broadcast, Sent, TestContext, assert_carries_over};

    const ADA: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);
    const RED: u8 = 4;

    /// A room and what it sends.
    struct Room(Whiteboard, TestContext);

    impl Room {
        fn new() -> Self {
            let context = TestContext::new();
            Room(Whiteboard::new("studio", &context), context)
        }

        fn hears(&mut self, client: ClientId, message: &[u8]) -> Vec<Sent> {
            self.0.binary(client, message, &self.1);
            self.1.take()
        }

        /// The strokes, as who drew them and how many points they have.
        fn strokes(&self) -> Vec<(ClientId, usize)> {
            self.0.strokes.iter().map(|stroke| (stroke.client, stroke.points.len())).collect()
        }
    }

    /// What a client sends of a stroke.
    fn drawn(kind: u8, points: usize) -> Vec<u8> {
        [&[kind, RED][..], &[1, 0, 2, 0].repeat(points)].concat()
    }

    #[test]
    fn a_stroke_reaches_everyone_with_the_name_of_who_drew_it() {
        let mut room = Room::new();
        let sent = room.hears(BOB, &[BEGIN, RED, 1, 0, 2, 0]);
        assert_eq!(sent, [Sent::binary(Broadcast, &[BEGIN, 2, 0, 0, 0, RED, 1, 0, 2, 0])]);
    }

    #[test]
    fn whoever_comes_later_gets_the_drawing_and_the_pointers_in_one_frame() {
        let mut room = Room::new();
        room.hears(ADA, &drawn(BEGIN, 1));
        room.hears(BOB, &[HOVER, 1, 0, 2, 0]);
        room.hears(ADA, &drawn(EXTEND, 1));
        room.0.disconnect(BOB, &room.1);
        room.1.take();

        room.0.connect(BOB, &room.1);

        let stroke = frame(BEGIN, ADA, &[RED, 1, 0, 2, 0, 1, 0, 2, 0]);
        let pointer = frame(HOVER, ADA, &[1, 0, 2, 0]);
        let missed = [&[14, 0, 0, 0][..], &stroke, &[9, 0, 0, 0], &pointer].concat();
        assert_eq!(room.1.take(), [Sent::binary(BOB, &frame(WELCOME, BOB, &missed))]);
    }

    #[test]
    fn everyone_undoes_their_own_strokes_from_the_last_to_the_first() {
        let mut room = Room::new();
        room.hears(ADA, &drawn(BEGIN, 1));
        room.hears(ADA, &drawn(BEGIN, 2));
        room.hears(BOB, &drawn(BEGIN, 3));

        assert_eq!(room.hears(ADA, &[UNDO]), [Sent::binary(Broadcast, &frame(UNDO, ADA, &[]))]);
        assert_eq!(room.strokes(), [(ADA, 1), (BOB, 3)]);
        room.hears(ADA, &[UNDO]);
        assert_eq!(room.hears(ADA, &[UNDO]), [], "there is nothing to undo");
        assert_eq!(room.strokes(), [(BOB, 3)]);
    }

    #[test]
    fn a_cleared_board_is_empty_for_whoever_comes_later() {
        let mut room = Room::new();
        room.hears(ADA, &drawn(BEGIN, 9));
        room.hears(BOB, &[CLEAR]);
        room.0.disconnect(ADA, &room.1);
        room.1.take();

        room.0.connect(ADA, &room.1);

        assert_eq!(room.1.take(), [Sent::binary(ADA, &frame(WELCOME, ADA, &[]))]);
    }

    #[test]
    fn a_long_drawing_loses_its_oldest_strokes_and_a_stroke_has_an_end() {
        let mut room = Room::new();
        room.hears(ADA, &drawn(BEGIN, 1));
        for _ in 0..MAX_DRAWING / MAX_STROKE {
            room.hears(BOB, &drawn(BEGIN, MAX_STROKE));
        }

        assert_eq!(room.strokes(), [(BOB, MAX_STROKE)].repeat(MAX_DRAWING / MAX_STROKE));
        assert_eq!(room.hears(BOB, &drawn(EXTEND, 1)), []);
    }

    #[test]
    fn bytes_that_are_no_frame_change_nothing() {
        let mut room = Room::new();
        let mut nonsense: Vec<Vec<u8>> = (0..=u8::MAX).map(|kind| vec![kind, 7, 7]).collect();
        nonsense.extend([
            vec![],
            vec![HOVER],
            vec![HOVER, 1, 0, 2, 0, 1, 0, 2, 0],
            drawn(BEGIN, 0),
            drawn(BEGIN, MAX_STROKE + 1),
            vec![UNDO],
            vec![LEFT],
            vec![WELCOME],
        ]);

        for message in nonsense {
            assert_eq!(room.hears(ADA, &message), [], "{message:?}");
        }
        assert_eq!(room.0, Whiteboard::default());
    }

    #[test]
    fn new_code_takes_the_drawing_over() {
        let mut room = Room::new();
        room.hears(ADA, &drawn(BEGIN, 3));
        assert_carries_over(&room.0);
    }
}
