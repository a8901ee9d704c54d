//! The first of two futures.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

pub(super) enum First<A, B> {
    A(A),
    B(B),
}

/// Waits for the first of the two; `a` if both are ready.
pub(super) async fn race<A: Future, B: Future>(
    mut a: Pin<&mut A>,
    mut b: Pin<&mut B>,
) -> First<A::Output, B::Output> {
    poll_fn(|context| {
        if let Poll::Ready(a) = a.as_mut().poll(context) {
            return Poll::Ready(First::A(a));
        }
        b.as_mut().poll(context).map(First::B)
    })
    .await
}
