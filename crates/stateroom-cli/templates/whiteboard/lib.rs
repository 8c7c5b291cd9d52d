//! A whiteboard: everyone draws on it, and sees where the others point.
//!
//! Frames are binary. Clients send a kind and a body; the room puts the sender's id between the
//! two, and sends the frame on to everyone.
//!
//! | kind (`u8`) | sender (`u32`) | body                | means                                      |
//! |-------------|----------------|---------------------|--------------------------------------------|
//! | 0 `HOVER`   | ✓              | 1 point             | the pointer has moved here, the pen lifted |
//! | 1 `BEGIN`   | ✓              | 1 to 62 points      | a new stroke has begun                     |
//! | 2 `EXTEND`  | ✓              | 1 to 62 points      | the sender's last stroke has gone on       |
//! | 3 `CLEAR`   | ✓              |                     | the board has been wiped                   |
//! | 4 `LEFT`    | ✓              |                     | from the room only: somebody has gone      |
//! | 5 `WELCOME` | ✓              | frames after their length (`u8`) | from the room only: who you are, and all that you have missed |
//!
//! A point is `x` and `y` (`u16` each): 0 is the left or the top edge, 65,535 the right or the
//! bottom. Numbers are little-endian.

use stateroom_wasm::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const HOVER: u8 = 0;
const BEGIN: u8 = 1;
const EXTEND: u8 = 2;
const CLEAR: u8 = 3;
const LEFT: u8 = 4;
const WELCOME: u8 = 5;

const POINT_BYTES: usize = 4;
/// With this many points, the length of a frame still fits its one byte.
const MAX_POINTS: usize = 62;
/// Past this size of the drawing, in bytes, its oldest parts fade away.
const MAX_DRAWING_BYTES: usize = 256 * 1024;

/// The room.
#[stateroom_wasm]
#[derive(Default)]
pub struct Whiteboard {
    /// The frames that made the drawing, oldest first, each after its length.
    drawing: VecDeque<u8>,
    /// The frame that tells where each client's pointer is.
    pointers: BTreeMap<ClientId, Vec<u8>>,
}

impl SimpleStateroomService for Whiteboard {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Whiteboard::default()
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        let mut missed = self.drawing.clone();
        for pointer in self.pointers.values() {
            append(&mut missed, pointer);
        }
        context.send_binary(client, &frame(WELCOME, client, missed.make_contiguous()));
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.pointers.remove(&client);
        context.send_binary(MessageRecipient::Broadcast, &frame(LEFT, client, &[]));
    }

    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        let Some((&kind, body)) = message.split_first() else { return };
        let relayed = frame(kind, client, body);
        match (kind, points(body)) {
            (HOVER, Some([_])) => {}
            (BEGIN | EXTEND, Some([.., _])) => self.draw(&relayed),
            (CLEAR, Some([])) => self.drawing.clear(),
            _ => return,
        }
        if let Some([.., last]) = points(body) {
            self.pointers.insert(client, frame(HOVER, client, last));
        }
        context.send_binary(MessageRecipient::Broadcast, &relayed);
    }
}

impl Whiteboard {
    fn draw(&mut self, frame: &[u8]) {
        append(&mut self.drawing, frame);
        while self.drawing.len() > MAX_DRAWING_BYTES
            && let Some(length) = self.drawing.pop_front()
        {
            self.drawing.drain(..usize::from(length));
        }
    }
}

/// The points of a body, unless it is something else.
fn points(body: &[u8]) -> Option<&[[u8; POINT_BYTES]]> {
    let (points, rest) = body.as_chunks();
    (rest.is_empty() && points.len() <= MAX_POINTS).then_some(points)
}

fn frame(kind: u8, client: ClientId, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &client.0.to_le_bytes(), body].concat()
}

/// Appends a frame after its length, which `points` has kept within a byte.
fn append(frames: &mut VecDeque<u8>, frame: &[u8]) {
    frames.push_back(frame.len() as u8);
    frames.extend(frame);
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom_wasm::{MessageRecipient::Broadcast, Sent, TestContext};

    const ADA: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);
    const POINT: [u8; POINT_BYTES] = [1, 0, 2, 0];

    fn room() -> (Whiteboard, TestContext) {
        let context = TestContext::new();
        (Whiteboard::new("studio", &context), context)
    }

    #[test]
    fn a_stroke_reaches_everyone_with_the_name_of_who_drew_it() {
        let (mut room, context) = room();

        room.binary(BOB, &[BEGIN, 1, 0, 2, 0], &context);

        assert_eq!(context.take(), [Sent::binary(Broadcast, &[BEGIN, 2, 0, 0, 0, 1, 0, 2, 0])]);
    }

    #[test]
    fn whoever_comes_later_gets_the_drawing_and_the_pointers_in_one_frame() {
        let (mut room, context) = room();
        room.binary(ADA, &frame_of(BEGIN, 2), &context);
        room.binary(BOB, &frame_of(HOVER, 1), &context);
        room.disconnect(BOB, &context);
        context.take();

        room.connect(BOB, &context);

        let mut missed = VecDeque::new();
        append(&mut missed, &frame(BEGIN, ADA, &POINT.repeat(2)));
        append(&mut missed, &frame(HOVER, ADA, &POINT));
        let welcome = frame(WELCOME, BOB, missed.make_contiguous());
        assert_eq!(context.take(), [Sent::binary(BOB, &welcome)]);
    }

    #[test]
    fn a_cleared_board_is_empty_for_whoever_comes_later() {
        let (mut room, context) = room();
        room.binary(ADA, &frame_of(BEGIN, 9), &context);
        room.binary(BOB, &[CLEAR], &context);
        room.disconnect(ADA, &context);
        context.take();

        room.connect(ADA, &context);

        assert_eq!(context.take(), [Sent::binary(ADA, &frame(WELCOME, ADA, &[]))]);
    }

    #[test]
    fn a_long_drawing_loses_its_oldest_parts() {
        let (mut room, context) = room();
        let stroke = frame_of(BEGIN, MAX_POINTS);
        room.binary(ADA, &frame_of(BEGIN, 1), &context);
        for _ in 0..2 * MAX_DRAWING_BYTES / stroke.len() {
            room.binary(ADA, &stroke, &context);
        }

        assert!(room.drawing.len() <= MAX_DRAWING_BYTES);
        assert!(room.drawing.len() > MAX_DRAWING_BYTES - 2 * stroke.len());
        assert_eq!(room.drawing[0], u8::MAX - 2, "the first frame is a whole one");
    }

    #[test]
    fn bytes_that_are_no_frame_change_nothing() {
        let (mut room, context) = room();
        let mut nonsense: Vec<Vec<u8>> = (0..=u8::MAX).map(|kind| vec![kind, 7]).collect();
        nonsense.extend([
            vec![],
            frame_of(HOVER, 0),
            frame_of(HOVER, 2),
            frame_of(BEGIN, 0),
            frame_of(EXTEND, MAX_POINTS + 1),
            frame_of(CLEAR, 1),
            frame_of(LEFT, 0),
            frame_of(WELCOME, 1),
        ]);

        for message in nonsense {
            room.binary(ADA, &message, &context);
            assert_eq!(context.take(), [], "{message:?}");
        }
        assert!(room.drawing.is_empty() && room.pointers.is_empty());
    }

    fn frame_of(kind: u8, points: usize) -> Vec<u8> {
        [&[kind][..], &POINT.repeat(points)].concat()
    }
}
