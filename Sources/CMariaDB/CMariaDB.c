#include "CMariaDB.h"

// Without the trait this file is empty, so that a build without MySQL needs no libmariadb.
#ifdef LAPSE_MYSQL

#if __has_include(<mariadb/mysql.h>)
#include <mariadb/mysql.h>
#elif __has_include(<mysql/mysql.h>)
#include <mysql/mysql.h>
#else
#error "libmariadb is missing: apt-get install libmariadb-dev"
#endif
#ifndef MARIADB_BASE_VERSION
#error "this is not libmariadb (MySQL's own client lacks what is used here): apt-get install libmariadb-dev"
#endif

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct lapse_mysql {
    MYSQL *session;
    MYSQL_RES *result;
    size_t columns;
    uint64_t matched;
    uint32_t error_number;
    char error_text[512];
    /// Guards the two below, which another thread reads to interrupt.
    pthread_mutex_t lock;
    int descriptor;
    bool is_interrupted;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void) { (void)mysql_server_init(0, NULL, NULL); }

lapse_mysql *lapse_mysql_make(void) {
    // The first mysql_init does this too, but two of them at once would race.
    pthread_once(&library_once, start_library);
    lapse_mysql *client = calloc(1, sizeof *client);
    if (!client) return NULL;
    client->descriptor = -1;
    if (pthread_mutex_init(&client->lock, NULL) != 0) {
        free(client);
        return NULL;
    }
    return client;
}

static void drop_result(lapse_mysql *client) {
    if (client->result) mysql_free_result(client->result);
    client->result = NULL;
    client->columns = 0;
    client->matched = 0;
}

void lapse_mysql_disconnect(lapse_mysql *client) {
    drop_result(client);
    pthread_mutex_lock(&client->lock);
    client->descriptor = -1;
    pthread_mutex_unlock(&client->lock);
    if (client->session) mysql_close(client->session);
    client->session = NULL;
}

void lapse_mysql_free(lapse_mysql *client) {
    lapse_mysql_disconnect(client);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

bool lapse_mysql_is_connected(const lapse_mysql *client) { return client->session != NULL; }

void lapse_mysql_interrupt(lapse_mysql *client) {
    pthread_mutex_lock(&client->lock);
    client->is_interrupted = true;
    if (client->descriptor >= 0) (void)shutdown(client->descriptor, SHUT_RDWR);
    pthread_mutex_unlock(&client->lock);
}

static bool fail(lapse_mysql *client, uint32_t number, const char *text) {
    client->error_number = number;
    strncpy(client->error_text, text, sizeof client->error_text - 1);
    return false;
}

static bool fail_with_session(lapse_mysql *client) {
    return fail(client, mysql_errno(client->session), mysql_error(client->session));
}

static void set_options(MYSQL *session, const lapse_mysql_settings *settings) {
    const unsigned seconds = settings->timeout_seconds, no = 0;
    const my_bool on = 1, off = 0;
    mysql_optionsv(session, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(session, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(session, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(session, MYSQL_OPT_RECONNECT, &off);
    // A server could ask for any file of this machine otherwise.
    mysql_optionsv(session, MYSQL_OPT_LOCAL_INFILE, &no);
    mysql_optionsv(session, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    // None that would send the password as it is.
    mysql_optionsv(
        session, MARIADB_OPT_RESTRICTED_AUTH,
        "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password");
    mysql_optionsv(session, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "lapse");
    if (settings->uses_tls) {
        mysql_optionsv(session, MYSQL_OPT_SSL_ENFORCE, &on);
        mysql_optionsv(session, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
        mysql_optionsv(session, MYSQL_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
        if (settings->tls_authority) mysql_optionsv(session, MYSQL_OPT_SSL_CA, settings->tls_authority);
        if (settings->tls_certificate) mysql_optionsv(session, MYSQL_OPT_SSL_CERT, settings->tls_certificate);
        if (settings->tls_key) mysql_optionsv(session, MYSQL_OPT_SSL_KEY, settings->tls_key);
    }
}

static bool is_interrupted(lapse_mysql *client) {
    pthread_mutex_lock(&client->lock);
    bool is_interrupted = client->is_interrupted;
    pthread_mutex_unlock(&client->lock);
    return is_interrupted;
}

bool lapse_mysql_connect(lapse_mysql *client, const lapse_mysql_settings *settings) {
    lapse_mysql_disconnect(client);
    if (is_interrupted(client)) return fail(client, 2013, "shut down");
    // Over TLS libmariadb writes with write(2): a peer that went away must be an error, not a signal.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);

    MYSQL *session = mysql_init(NULL);
    if (!session) return fail(client, 2008, "out of memory");
    set_options(session, settings);
    client->session = session;
    const char *password = settings->password ? settings->password : "";
    if (!mysql_real_connect(
            session, settings->host, settings->user, password, settings->database, settings->port, NULL,
            CLIENT_FOUND_ROWS)) {
        fail_with_session(client);
        lapse_mysql_disconnect(client);
        return false;
    }
    my_socket descriptor = mysql_get_socket(session);
    pthread_mutex_lock(&client->lock);
    client->descriptor = descriptor;
    pthread_mutex_unlock(&client->lock);
    if (is_interrupted(client)) {
        lapse_mysql_disconnect(client);
        return fail(client, 2013, "shut down");
    }
    return true;
}

bool lapse_mysql_query(lapse_mysql *client, const char *statement, size_t length) {
    drop_result(client);
    if (!client->session) return fail(client, 2006, "not connected");
    if (mysql_real_query(client->session, statement, length) != 0) return fail_with_session(client);
    client->result = mysql_store_result(client->session);
    client->columns = mysql_field_count(client->session);
    if (!client->result && client->columns > 0) return fail_with_session(client);
    if (!client->result) client->matched = mysql_affected_rows(client->session);
    return true;
}

uint64_t lapse_mysql_matched_rows(const lapse_mysql *client) { return client->matched; }

size_t lapse_mysql_row_count(const lapse_mysql *client) {
    return client->result ? (size_t)mysql_num_rows(client->result) : 0;
}

size_t lapse_mysql_column_count(const lapse_mysql *client) { return client->columns; }

const char *lapse_mysql_cell(lapse_mysql *client, size_t row, size_t column, size_t *length) {
    if (row >= lapse_mysql_row_count(client) || column >= client->columns) return NULL;
    mysql_data_seek(client->result, row);
    MYSQL_ROW cells = mysql_fetch_row(client->result);
    unsigned long *lengths = mysql_fetch_lengths(client->result);
    if (!cells || !lengths || !cells[column]) return NULL;
    *length = lengths[column];
    return cells[column];
}

uint32_t lapse_mysql_error_number(const lapse_mysql *client) { return client->error_number; }

const char *lapse_mysql_error_text(const lapse_mysql *client) { return client->error_text; }

#endif
