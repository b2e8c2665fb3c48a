//! Every layout, on the acceptance case before and after its repair, on the tie, and on a hostile target.

mod fixture;
mod html;
mod machines;
mod markdown;
mod terminal;
