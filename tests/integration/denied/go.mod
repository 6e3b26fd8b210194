module gohost.test/denied

go 1.22
