//! How often what happened in a simulation.

macro_rules! counts {
    ($($name:ident),* $(,)?) => {
        /// How often what happened.
        #[derive(Debug, Clone, Copy, Default)]
        pub(crate) struct Counts {
            $(pub(crate) $name: u64,)*
        }

        impl Counts {
            pub(crate) fn add(&mut self, other: &Counts) {
                $(self.$name += other.$name;)*
            }

            pub(crate) fn everything_happened(&self) -> bool {
                [$(self.$name),*].into_iter().all(|count| count > 0)
            }
        }
    };
}

counts! {
    seen,
    kills,
    power_cuts,
    failed_events,
    brought_back,
    refused,
    failed_flushes,
    checkpoints,
    deploys,
    forgotten,
    answered,
    answered_again,
    other_requests,
    failed_requests,
    // What happened to visitors.
    opened,
    got,
    settled,
    skipped,
    recovered,
    missed,
    over,
    moved,
    again,
    stayed_away,
    left,
    closed,
    given_up,
    heard_at_rest,
}
