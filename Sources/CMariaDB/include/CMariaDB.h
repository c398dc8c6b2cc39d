/// A client of MariaDB and MySQL over libmariadb: one connection, blocking calls, text results.
///
/// Nothing of libmariadb's own types is visible here. Without the package trait `MySQL` none of this is
/// compiled.
#ifndef CMARIADB_H
#define CMARIADB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lapse_mysql lapse_mysql;

typedef struct {
    const char *host;
    uint32_t port;
    const char *user;
    /// NULL for none.
    const char *password;
    const char *database;
    /// Connecting, one read and one write each end after this number of seconds.
    uint32_t timeout_seconds;
    bool uses_tls;
    /// PEM files; each may be NULL. Without an authority the system's are trusted.
    const char *tls_authority;
    const char *tls_certificate;
    const char *tls_key;
} lapse_mysql_settings;

/// An unconnected client, or NULL when there is no memory. Everything but `lapse_mysql_interrupt`
/// belongs to one thread at a time.
lapse_mysql *lapse_mysql_make(void);
void lapse_mysql_free(lapse_mysql *client);

/// Connects anew. False: see `lapse_mysql_error_number` and `lapse_mysql_error_text`.
bool lapse_mysql_connect(lapse_mysql *client, const lapse_mysql_settings *settings);
bool lapse_mysql_is_connected(const lapse_mysql *client);
void lapse_mysql_disconnect(lapse_mysql *client);

/// From any thread: a call that waits for the server ends with an error, and nothing connects any more.
void lapse_mysql_interrupt(lapse_mysql *client);

/// Runs one statement and keeps its result until the next one.
bool lapse_mysql_query(lapse_mysql *client, const char *statement, size_t length);

/// Rows that an UPDATE's condition met, whether it changed them or not; rows that an INSERT wrote.
uint64_t lapse_mysql_matched_rows(const lapse_mysql *client);
/// Rows and columns of the kept result.
size_t lapse_mysql_row_count(const lapse_mysql *client);
size_t lapse_mysql_column_count(const lapse_mysql *client);
/// The bytes of a cell, valid until the next statement; NULL for SQL's NULL.
const char *lapse_mysql_cell(lapse_mysql *client, size_t row, size_t column, size_t *length);

uint32_t lapse_mysql_error_number(const lapse_mysql *client);
const char *lapse_mysql_error_text(const lapse_mysql *client);

#endif
