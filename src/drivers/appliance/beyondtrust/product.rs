//! The vendor's two products on the same appliance, as the reporting API names their sessions.

/// Which product a box runs. No command says so in every release, so the site file does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    #[default]
    RemoteSupport,
    PrivilegedRemoteAccess,
}

impl Product {
    /// The report with everything about each session.
    pub fn sessions(self) -> &'static str {
        match self {
            Self::RemoteSupport => "SupportSession",
            Self::PrivilegedRemoteAccess => "AccessSession",
        }
    }

    /// The report that only lists sessions.
    pub fn listing(self) -> &'static str {
        match self {
            Self::RemoteSupport => "SupportSessionListing",
            Self::PrivilegedRemoteAccess => "AccessSessionListing",
        }
    }

    /// The report that gives one session's recording of the screen.
    pub fn recording(self) -> &'static str {
        match self {
            Self::RemoteSupport => "SupportSessionRecording",
            Self::PrivilegedRemoteAccess => "AccessSessionRecording",
        }
    }
}
