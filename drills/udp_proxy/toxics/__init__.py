"""The toxics: what each decides for a packet, without sockets and without a clock."""
