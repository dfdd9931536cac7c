//! Settings: fragment → input → settings, errors with file and line. Imports: domain only.
