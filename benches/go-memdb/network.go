package main

// The copy of a network that each task's attachment has.

type network struct {
	id            string
	meta          meta
	spec          networkSpec
	driverState   *driver
	ipam          *ipamOptions
	pendingDelete bool
	extra         unset
}

type networkSpec struct {
	annotations  annotations
	driverConfig *driver
	ipv6         bool
	internal     bool
	ipam         *ipamOptions
	attachable   bool
	ingress      bool
	configFrom   interface{}
}

type ipamOptions struct {
	driver  *driver
	configs []*ipamConfig
}

type ipamConfig struct {
	family                 int32
	subnet, addressesRange string
	gateway                string
	reserved               map[string]string
}

func (from *network) copied() *network {
	to := *from
	to.meta = from.meta.copied()
	to.spec.annotations = from.spec.annotations.copied()
	to.spec.driverConfig = from.spec.driverConfig.copied()
	to.spec.ipam = from.spec.ipam.copied()
	to.driverState = from.driverState.copied()
	to.ipam = from.ipam.copied()
	return &to
}

func (from *ipamOptions) copied() *ipamOptions {
	if from == nil {
		return nil
	}
	to := *from
	to.driver = from.driver.copied()
	if from.configs != nil {
		to.configs = make([]*ipamConfig, len(from.configs))
		for at, config := range from.configs {
			one := *config
			one.reserved = copiedMap(config.reserved)
			to.configs[at] = &one
		}
	}
	return &to
}

func (of *network) size() int {
	size := sizeOfText(of.id) + sizeOfPart(of.meta.size())
	size += sizeOfPart(of.spec.size())
	if of.driverState != nil {
		size += sizeOfPart(of.driverState.size())
	}
	if of.ipam != nil {
		size += sizeOfPart(of.ipam.size())
	}
	return size + sizeOfFlag(of.pendingDelete)
}

func (of *networkSpec) size() int {
	size := sizeOfPart(of.annotations.size())
	if of.driverConfig != nil {
		size += sizeOfPart(of.driverConfig.size())
	}
	if of.ipam != nil {
		size += sizeOfPart(of.ipam.size())
	}
	for _, flag := range []bool{of.ipv6, of.internal, of.attachable, of.ingress} {
		size += sizeOfFlag(flag)
	}
	return size
}

func (of *ipamOptions) size() int {
	size := 0
	if of.driver != nil {
		size += sizeOfPart(of.driver.size())
	}
	for _, config := range of.configs {
		size += sizeOfPart(config.size())
	}
	return size
}

func (of *ipamConfig) size() int {
	size := sizeOfNumber(uint64(of.family)) + sizeOfText(of.subnet)
	return size + sizeOfText(of.addressesRange) + sizeOfText(of.gateway) + sizeOfMap(of.reserved)
}
