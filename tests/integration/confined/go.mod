module gohost.test/confined

go 1.25
