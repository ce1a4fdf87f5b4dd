// SPDX-License-Identifier: MIT
/*
 * flood FILE ADDRESS PORT SECONDS [AT_ONCE [PAUSE_MS]]: sends the datagram in FILE again and again to an IPv4 address, in
 * bursts with pauses, and counts by their first octet what kinds of WireGuard messages come back. Prints
 * "sent N initiations N responses N cookies N data N".
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned long sent = 0, kinds[5] = { 0 };
	unsigned char message[2048], answer[2048];
	int at_once = argc > 5 ? atoi(argv[5]) : 600, pause_ms = argc > 6 ? atoi(argv[6]) : 100, fd, i;
	ssize_t len, got;
	FILE *file;
	time_t end;

	if (argc < 5 || !(file = fopen(argv[1], "rb")))
		return 2;
	len = fread(message, 1, sizeof(message), file);
	fclose(file);
	to.sin_port = htons(atoi(argv[3]));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (len <= 0 || fd < 0 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 2;
	for (end = time(NULL) + atoi(argv[4]); time(NULL) < end;) {
		for (i = 0; i < at_once; ++i)
			sent += send(fd, message, len, 0) == len;
		usleep(pause_ms * 1000);
		while ((got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0)
			++kinds[answer[0] <= 4 ? answer[0] : 0];
	}
	printf("sent %lu initiations %lu responses %lu cookies %lu data %lu\n", sent, kinds[1], kinds[2], kinds[3], kinds[4]);
	return 0;
}
