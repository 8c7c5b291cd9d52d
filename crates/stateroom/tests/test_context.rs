//! What a service's own tests rely on: the context records everything, in order, and once.

use stateroom::{ClientId, MessageRecipient, Sent, StateroomContext, TestContext};

#[test]
fn everything_sent_is_recorded_in_order_and_taken_once() {
    let context = TestContext::new();
    context.send_message(ClientId(1), "a");
    context.send_binary(MessageRecipient::EveryoneExcept(ClientId(1)), &[1]);
    context.send_message(MessageRecipient::Broadcast, "");
    assert_eq!(
        context.take(),
        [
            Sent::text(ClientId(1), "a"),
            Sent::binary(MessageRecipient::EveryoneExcept(ClientId(1)), &[1]),
            Sent::text(MessageRecipient::Broadcast, ""),
        ]
    );
    assert_eq!(context.take(), []);
}

#[test]
fn a_payload_is_read_as_what_it_was_sent_as() {
    let text = Sent::text(ClientId(1), "a").message;
    assert_eq!((text.text(), text.bytes()), (Some("a"), None));
    let binary = Sent::binary(ClientId(1), b"a").message;
    assert_eq!((binary.text(), binary.bytes()), (None, Some(&b"a"[..])));
}

#[test]
fn the_timer_is_the_one_set_last_and_zero_cancels_it() {
    let context = TestContext::new();
    assert_eq!(context.timer_ms(), None);
    context.set_timer(10);
    context.set_timer(20);
    assert_eq!(context.timer_ms(), Some(20));
    context.set_timer(0);
    assert_eq!(context.timer_ms(), None);
}

#[test]
fn a_reference_to_a_context_is_one() {
    fn through(context: impl StateroomContext) {
        context.send_message(ClientId(1), "a");
        context.send_binary(ClientId(1), b"b");
        context.set_timer(3);
    }

    let context = TestContext::new();
    through(&context);
    assert_eq!(context.take(), [Sent::text(ClientId(1), "a"), Sent::binary(ClientId(1), b"b")]);
    assert_eq!(context.timer_ms(), Some(3));
}
