//! Keeps a room of a cluster (`--bus`) on this node: runs its worker while this node has the lease, and shows the room of
//! another node otherwise.

mod intake;
mod owner;
mod run;
mod show;
pub(super) mod task;
mod view;
