/* keeper.h - a process that keeps a connection to RabbitMQ, for messages of later ones */
/*
 * To open a connection is far more work for the broker than a message. So, with -k, a process stays behind when a
 * message was confirmed, with its connection, and whoever publishes to the same URL as the same user gives it his. It
 * has an abstract socket, which knows no files: users prove who they are by what the kernel says. It ends when nobody
 * has come for some seconds, and on SIGTERM when what it has is confirmed. Whom it cannot serve publishes by himself.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "programs/publish/link.h"

/* Has a process that keeps a connection publish the message. False: there is none, or it has not taken it. */
bool keeper_ask(const struct job *job, enum verdict *verdict);

/* Starts one with this link. False: there is one, or none can be; the link is the caller's still. */
bool keeper_begin(struct job *job, struct link *link);

#endif
