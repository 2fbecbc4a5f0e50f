//! What waits to be sent on a socket: bounded, so that who does not read costs nobody else anything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::{Message, Utf8Bytes};
use tokio::sync::Notify;

use super::message::Close;
use crate::app::App;

/// Most messages that wait.
const MOST_MESSAGES: usize = 256;
/// Most bytes that wait; one message may be larger than that.
const MOST_BYTES: usize = 2 << 20;
/// Most bytes that wait while too many wait on all sockets together.
const LEAST_BYTES: usize = 64 << 10;

/// What waits. The socket's own future sends it; operations put it in.
pub struct Outbox {
    app: Arc<App>,
    state: Mutex<State>,
    /// Something waits.
    filled: Notify,
    /// The socket is to be closed.
    closing: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Message>,
    bytes: usize,
    close: Option<Close>,
    is_over: bool,
}

impl Outbox {
    pub fn new(app: Arc<App>) -> Self {
        Self { app, state: Mutex::default(), filled: Notify::new(), closing: Notify::new() }
    }

    /// Sends a message. Where more waits than there is room for, nothing of it is sent and the socket is closed.
    pub fn send(&self, text: Utf8Bytes) {
        self.put(Message::Text(text));
    }

    /// Asks whether the peer is still there.
    pub fn ping(&self) {
        self.put(Message::Ping(Default::default()));
    }

    fn put(&self, message: Message) {
        let mut state = self.state();
        if state.close.is_some() {
            return;
        }
        let bytes = size(&message);
        let crowded = self.app.live().wait(bytes);
        let most = if crowded { LEAST_BYTES } else { MOST_BYTES };
        let over = state.bytes + bytes > most || state.waiting.len() == MOST_MESSAGES;
        state.bytes += bytes;
        state.waiting.push_back(message);
        let is_slow = over && state.waiting.len() > 1;
        drop(state);
        match is_slow {
            true => self.too_slow(),
            false => self.filled.notify_one(),
        }
    }

    /// Closes the socket of one who cannot keep up.
    pub fn too_slow(&self) {
        if self.close(Close::SLOW) {
            self.app.metrics().slow_reader();
        }
    }

    /// Closes the socket; what waits is not sent any more. False: that was decided before.
    pub fn close(&self, why: Close) -> bool {
        let mut state = self.state();
        if state.close.is_some() {
            return false;
        }
        state.close = Some(why);
        self.clear(&mut state);
        drop(state);
        self.filled.notify_one();
        self.closing.notify_one();
        true
    }

    /// Whether the socket is to be closed.
    pub fn is_closing(&self) -> bool {
        self.state().close.is_some()
    }

    /// Waits until the socket is to be closed.
    pub async fn closing(&self) {
        self.closing.notified().await;
    }

    /// What is to be sent next. `None`: that was the last, which is a close frame.
    pub async fn next(&self) -> Option<Message> {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Option<Message>> {
        let mut state = self.state();
        if let Some(message) = state.waiting.pop_front() {
            let bytes = size(&message);
            state.bytes -= bytes;
            self.app.live().waited(bytes);
            if state.waiting.is_empty() {
                // Idle sockets are many, and keep no room for what waited once.
                state.waiting = VecDeque::new();
            }
            return Some(Some(message));
        }
        let close = state.close.as_ref()?.frame();
        let is_over = std::mem::replace(&mut state.is_over, true);
        Some((!is_over).then_some(Message::Close(Some(close))))
    }

    fn clear(&self, state: &mut State) {
        self.app.live().waited(state.bytes);
        (state.waiting, state.bytes) = (VecDeque::new(), 0);
    }

    /// A panic elsewhere leaves it whole: what is put in is counted before it is there.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut state = std::mem::take(&mut *self.state());
        self.clear(&mut state);
    }
}

fn size(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len() + size_of::<Message>(),
        _ => size_of::<Message>(),
    }
}
