//! Who watches the line, and dials until a new one stands.

use super::{
    super::server::{self, Identity},
    Connected, Shared, State,
    error::fault,
};
use crate::store::Result;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tracing::info;

/// How often an idle line is tried.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The shortest and the longest pause between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

impl Shared {
    pub(super) async fn watch(self: Arc<Self>) {
        let mut state = self.state.subscribe();
        let mut identity = self.up().map(|up| up.identity.clone()).unwrap_or_default();
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Connected(up) => tokio::select! {
                    changed = state.changed() => if changed.is_err() { return },
                    () = self.dialer.loses_one_after(up.lost_before) => {
                        self.take_down(&up, "a connection to one of the servers was lost");
                    }
                    () = self.heartbeat(&up) => {}
                },
                State::Disconnected(_) => identity = self.dial_until_up(identity).await,
            }
        }
    }

    /// After a while, tries the line and tells the other gateways that this one is there.
    async fn heartbeat(&self, up: &Arc<Connected>) {
        tokio::time::sleep(HEARTBEAT).await;
        let mut connection = up.connection.clone();
        match server::identity(&mut connection).await {
            Ok(identity) if identity == up.identity => up.timeouts.store(0, Ordering::Relaxed),
            Ok(_) => return self.take_down(up, "another server has taken over"),
            Err(error) => {
                self.classify(up, &error);
                return;
            }
        }
        if let Some(peers) = &self.peers
            && let Err(error) = peers.greet(up).await
        {
            self.classify(up, &error);
        }
    }

    /// Answers with who is at the other end now.
    async fn dial_until_up(self: &Arc<Self>, last: Identity) -> Identity {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.redial(&last).await {
                Ok(up) => {
                    let identity = up.identity.clone();
                    self.state.send_replace(State::Connected(up));
                    info!("the store is back");
                    return identity;
                }
                Err(fault) => {
                    self.state.send_replace(State::Disconnected(fault.to_string().into()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn redial(self: &Arc<Self>, last: &Identity) -> Result<Arc<Connected>> {
        let up = Connected::dial(&self.dialer).await.map_err(|error| fault(&error))?;
        if up.identity == *last {
            return Ok(up);
        }
        if let Some(replay) = self.replay.get() {
            self.replayed(&**replay, &up).await?;
        }
        Ok(up)
    }
}
