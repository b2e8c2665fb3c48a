//! Letters from the outbox to the receiver: the worker, each channel, and mail.

mod channels;
mod desk;
mod mail;
mod worker;
