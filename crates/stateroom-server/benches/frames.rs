//! What it costs to write a frame into a batch, and to read one.
//!
//! `cargo bench -p stateroom-server`

use divan::{Bencher, black_box, counter::BytesCount};
use stateroom_server::measured::{Reader, encode_text};

/// As long as the texts of the comparison with other servers, longer, and with the longest header.
const LENGTHS: [usize; 3] = [100, 1_000, 100_000];

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn main() {
    divan::main();
}

#[divan::bench(args = LENGTHS)]
fn encode(bencher: Bencher<'_, '_>, length: usize) {
    let text = "x".repeat(length);
    // As a batch in steady state, which has its memory already.
    let mut batch = Vec::with_capacity(length + 10);
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        batch.clear();
        encode_text(black_box(&text), &mut batch);
        black_box(batch.len())
    });
}

#[divan::bench(args = LENGTHS)]
fn decode(bencher: Bencher<'_, '_>, length: usize) {
    let frame = masked("x".repeat(length).as_bytes());
    let mut reader = Reader::default();
    // Reading unmasks the frame where it lies, so each time needs it anew; that is a copy.
    let mut bytes = frame.clone();
    assert_eq!(reader.read(&mut bytes), length);
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        bytes.copy_from_slice(&frame);
        black_box(reader.read(black_box(&mut bytes)))
    });
}

/// A text as a client sends it.
fn masked(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(text.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
